"""A signing key is judged when the settings are read, and named without being shown."""

import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from export_pipeline.errors import ConfigError
from export_pipeline.settings import Settings
from export_pipeline.signing_keys import key_id, read_public_keys, read_signing_key
from export_pipeline_tests.archive.signing import private_pem, public_pem

KEY = Ed25519PrivateKey.generate()


def made_by_openssl(*arguments: str) -> str:
    return subprocess.run(
        ["openssl", "genpkey", *arguments], check=True, capture_output=True, text=True
    ).stdout


RSA = made_by_openssl("-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048")
LOCKED = made_by_openssl("-algorithm", "ed25519", "-aes256", "-pass", "pass:x")


def test_a_key_of_openssl_is_read_with_its_line_breaks_or_with_them_escaped() -> None:
    pem = made_by_openssl("-algorithm", "ed25519")
    assert read_signing_key(pem).sign(b"x") == read_signing_key(pem.replace("\n", "\\n")).sign(b"x")


@pytest.mark.parametrize(
    ("pem", "said"),
    [
        ("not-a-key", "no private key in PEM"),
        (private_pem(KEY)[:70], "no private key in PEM"),
        (public_pem(KEY.public_key()), "no private key in PEM"),
        (RSA, "it must be Ed25519"),
        (LOCKED, "under a passphrase"),
    ],
    ids=["no PEM", "cut off", "public", "RSA", "passphrase"],
)
def test_what_is_no_signing_key_is_refused_with_the_variable_named(pem: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Settings.from_env({"EXPORT_SIGNING_KEY": pem})
    words = str(refused.value)
    assert words.startswith("EXPORT_SIGNING_KEY: it is ")
    assert said in words
    assert pem.splitlines()[-1] not in words


def test_public_keys_stand_one_after_the_other() -> None:
    keys = [Ed25519PrivateKey.generate().public_key() for _ in range(3)]
    text = "\n".join(public_pem(key) for key in keys)
    for pem in (text, text.replace("\n", "\\n")):
        assert [key_id(key) for key in read_public_keys(pem)] == [key_id(key) for key in keys]


@pytest.mark.parametrize(
    "pem",
    [
        "x",
        private_pem(KEY),
        public_pem(KEY.public_key()) + "x",
        public_pem(KEY.public_key()).replace("MCow", "MCox"),
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
    ],
    ids=["no PEM", "private", "something after it", "broken", "empty"],
)
def test_what_is_no_public_key_is_refused_with_the_variable_named(pem: str) -> None:
    with pytest.raises(ConfigError, match=r"^EXPORT_SIGNING_PUBLIC_KEYS: "):
        Settings.from_env({"EXPORT_SIGNING_PUBLIC_KEYS": pem})
