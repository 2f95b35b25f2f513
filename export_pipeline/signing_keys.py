"""The Ed25519 keys that sign bags, read from PEM (RFC 8032, RFC 8410, RFC 7468)."""

import hashlib
import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

_PUBLIC_BLOCK = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


def read_signing_key(pem: str) -> Ed25519PrivateKey:
    """Return the private key of a PKCS#8 PEM text.

    Raises:
        ValueError: it is none, of another algorithm, or under a passphrase.
    """
    try:
        key = load_pem_private_key(_unfolded(pem).encode(), password=None)
    except TypeError:
        raise ValueError(
            "it is under a passphrase: give it without, from `openssl pkey -in key.pem`"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(
            "it is no private key in PEM: make one with `openssl genpkey -algorithm ed25519`"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("it is a key of another algorithm: it must be Ed25519")  # noqa: TRY004  as pydantic reads it
    return key


def read_public_keys(pem: str) -> tuple[Ed25519PublicKey, ...]:
    """Return every public key of a PEM text, which has one block after the other.

    Raises:
        ValueError: there is none, or one is of another algorithm.
    """
    blocks = _PUBLIC_BLOCK.findall(_unfolded(pem))
    if not blocks or _PUBLIC_BLOCK.sub("", _unfolded(pem)).strip():
        raise ValueError("it is not public keys in PEM: give those of `openssl pkey -pubout`")
    return tuple(_public_key(block) for block in blocks)


def _public_key(block: str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(block.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("one of its blocks is no public key that can be read") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("one of its keys is of another algorithm: all must be Ed25519")  # noqa: TRY004  as pydantic reads it
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """Return the key's fingerprint: sha256, in hex, of its DER form (SubjectPublicKeyInfo)."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def _unfolded(pem: str) -> str:
    # Environment files hold no line breaks: there a key has them as \n.
    return pem.replace("\\n", "\n")
