"""The signature of a bag: Ed25519 over the bytes of its seal (RFC 8032)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from export_pipeline.archive.layout import SEAL_NAME
from export_pipeline.archive.tags import INFO_NAME, read_info
from export_pipeline.errors import BadInput
from export_pipeline.settings import Settings
from export_pipeline.signing_keys import key_id, read_public_keys, read_signing_key

SIGNATURE_NAME = SEAL_NAME + ".sig"
"""The raw 64 bytes, as `openssl pkeyutl -verify -rawin` takes them."""
KEY_LABEL = "Export-Signing-Key"
"""In bag-info: the fingerprint of the key that signs, so that a missing signature is noticed."""


@dataclass(frozen=True)
class Keys:
    """The key that signs new bags, if any, and those by which signatures are judged.

    Args:
        signing: signs; its public half is among `known`.
        known: fingerprint -> public key.
    """

    signing: Ed25519PrivateKey | None = None
    known: Mapping[str, Ed25519PublicKey] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> "Keys":
        """The keys that the settings name."""
        secret, listed = settings.signing_key, settings.signing_public_keys
        private = read_signing_key(secret.get_secret_value()) if secret else None
        public = [*(read_public_keys(listed) if listed else ())]
        public += [private.public_key()] if private else []
        return cls(private, {key_id(key): key for key in public})

    @property
    def signing_id(self) -> str:
        """Fingerprint of the key that signs, "" if none does."""
        return key_id(self.signing.public_key()) if self.signing else ""

    def problem(self, named: str, signature: bytes | None, seal: bytes) -> str:
        """Return why the signature does not vouch for the seal, "" if it does or none is due.

        Args:
            named: the fingerprint that bag-info names, "" if it names none.
            signature: the bytes beside the seal, None if there are none.
            seal: the bytes of the seal.
        """
        if not named:
            return (
                "it has a signature and its bag-info names no key" if signature is not None else ""
            )
        if signature is None:
            return f"its bag-info says that key {named} signed it, and its signature is missing"
        if named not in self.known:
            return (
                f"it is signed with key {named}, which is not known here: if you trust that key,"
                " add it to EXPORT_SIGNING_PUBLIC_KEYS"
            )
        try:
            self.known[named].verify(signature, seal)
        except InvalidSignature:
            return f"its signature does not hold: key {named} did not sign this seal"
        return ""


NO_KEYS = Keys()


def signer(info: bytes) -> str:
    """The fingerprint of the key that a bag-info names, "" if it names none or cannot be read."""
    try:
        return read_info(info, INFO_NAME).get(KEY_LABEL, ("",))[-1]
    except BadInput:
        return ""
