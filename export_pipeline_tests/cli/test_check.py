from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from export_pipeline.signing_keys import key_id
from export_pipeline.storage.s3.options import S3Options
from export_pipeline_tests.archive.signing import private_pem, public_pem
from export_pipeline_tests.cli.conftest import Command

FIELDS = [field for field in S3Options.model_fields.values() if field.alias]
SECRETS = [field.alias for field in FIELDS if field.annotation == SecretStr | None]


def test_the_variables_of_the_store_in_use_are_told_and_none_of_its_secrets(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_STORAGE_URL", "s3://bucket/prefix")
    monkeypatch.setenv("EXPORT_S3_REGION", "eu-west-1")
    monkeypatch.setenv(
        "EXPORT_S3_ENDPOINT", "https://user:in-the-url@s3.example.com?key=in-the-url"
    )
    for name in SECRETS:
        monkeypatch.setenv(str(name), "the-secret")
    told = command("check", "--json")
    variables = told.json["variables"]
    assert {field.alias for field in FIELDS} <= set(variables)
    assert len(SECRETS) == 4
    assert {variables[name] for name in SECRETS} == {"set"}
    assert variables["EXPORT_S3_REGION"] == "eu-west-1"
    assert variables["EXPORT_S3_ENDPOINT"] == "https://s3.example.com"
    shown = told.stdout + command("check").stdout
    assert "Region of the bucket" in shown
    assert "the-secret" not in shown
    assert "in-the-url" not in shown


def test_the_variables_of_a_store_that_is_not_in_use_are_not_told(command: Command) -> None:
    assert not any("S3" in name for name in command("check", "--json").json["variables"])


def test_the_key_that_signs_bags_is_tried_and_never_shown(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, former = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    monkeypatch.setenv("EXPORT_SIGNING_KEY", private_pem(key).replace("\n", "\\n"))
    monkeypatch.setenv("EXPORT_SIGNING_PUBLIC_KEYS", public_pem(former.public_key()))
    told = command("check", "--json")
    (finding,) = [one for one in told.json["findings"] if one["name"] == "signing key"]
    assert finding["works"]
    assert finding["text"] == (
        f"bags are signed with key {key_id(key.public_key())}, beside 1 former"
    )
    assert told.json["variables"]["EXPORT_SIGNING_KEY"] == "set"
    secret = private_pem(key).splitlines()[1]
    assert secret not in told.stdout + command("check").stdout


def test_a_signing_key_that_is_none_is_refused_and_named(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_SIGNING_KEY", "not-a-key")
    told = command("check")
    assert told.exit_code == 1
    assert "setting: EXPORT_SIGNING_KEY: it is no private key in PEM: make one" in told.stderr
    assert "not-a-key" not in told.stderr
