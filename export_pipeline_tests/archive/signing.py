"""Signing keys for tests, made anew each time."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from export_pipeline.archive.signature import Keys
from export_pipeline.settings import Settings


def private_pem(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signing(key: Ed25519PrivateKey | None = None, *known: Ed25519PrivateKey) -> Keys:
    """The keys of an environment that signs with `key` and knows the public halves of others."""
    environment = {
        "EXPORT_SIGNING_KEY": private_pem(key) if key else "",
        "EXPORT_SIGNING_PUBLIC_KEYS": "".join(public_pem(one.public_key()) for one in known),
    }
    return Keys.of(Settings.from_env(environment))
