"""What is secret is told by a field's type, and shown nowhere, whatever its variable is called."""

import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from export_pipeline.errors import ConfigError
from export_pipeline.settings import Settings
from export_pipeline.storage.open import BACKENDS, options_of
from export_pipeline.storage.options import Variable, declared, read_options
from export_pipeline.vendors.open import VARIABLES, vendor_variables
from export_pipeline_tests.cli.conftest import Command

PLANTED = "planted-7f3a9c"
STORES = [model for scheme in BACKENDS if (model := options_of(f"{scheme}://")) is not None]
MODELS: list[type[BaseModel]] = [Settings, *STORES, *(one for both in VARIABLES for one in both)]
SOUNDS_SECRET = re.compile("KEY|SECRET|TOKEN|PASSWORD|PASSPHRASE|HEADERS|ALERT_URL")
NOT_SECRET = {
    "EXPORT_SIGNING_PUBLIC_KEYS",
    "EXPORT_S3_ACCESS_KEY_ID",
    "EXPORT_S3_KMS_KEY_ID",
    "EXPORT_CLOUDCONVERT_S3_ACCESS_KEY_ID",
    "EXPORT_GCS_KEY_FILE",
    "EXPORT_SFTP_HOST_KEY",
    "EXPORT_SFTP_HOST_KEY_CHECKING",
    "EXPORT_SFTP_PRIVATE_KEY_FILE",
    "TOKEN_URL",
}
"""Names, files, public keys, and whether to look at them."""
URLS = {
    "s3": "s3://bucket",
    "gs": "gs://bucket",
    "az": "az://account/container",
    "swift": "swift://container",
    "sftp": "sftp://user@127.0.0.1:1/archive",
    "http": "http://127.0.0.1:1/archive",
}


def every_variable() -> Iterator[Variable]:
    for model in MODELS:
        yield from declared(model)


def test_what_sounds_secret_is_of_a_secret_type_or_known_to_be_none() -> None:
    sounding = {one.name for one in every_variable() if SOUNDS_SECRET.search(one.name)}
    secret = {one.name for one in every_variable() if one.is_secret}
    assert sounding - secret == NOT_SECRET
    assert secret <= sounding


@pytest.mark.parametrize("model", STORES, ids=lambda model: model.__name__)
def test_no_secret_of_a_store_is_in_a_repr_or_an_error(model: type[BaseModel]) -> None:
    names = [one.name for one in declared(model) if one.is_secret]
    assert names
    for name in names:
        for value in (PLANTED, f'{{"x-planted": "{PLANTED}"}}'):
            try:
                shown = repr(read_options(model, {name: value}))
            except ConfigError as error:
                shown = str(error)
            assert PLANTED not in shown


@pytest.mark.parametrize("scheme", URLS)
def test_check_tells_that_a_secret_is_set_and_not_what_it_is(
    command: Command, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("EXPORT_STORAGE_URL", URLS[scheme])
    model = options_of(URLS[scheme])
    assert model is not None
    names = [one.name for one in declared(model) if one.is_secret]
    for name in names:
        monkeypatch.setenv(name, PLANTED)
    told = command("check", "--json")
    assert {told.json["variables"][name] for name in names} == {"set"}
    assert PLANTED not in told.stdout + told.stderr + command("check").stdout


def test_check_tells_that_each_vendors_secrets_are_set_and_not_what_they_are(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [one.name for one in vendor_variables({}) if one.is_secret]
    names += ["EXPORT_COPYLEAKS_KEY"]
    for name in names:
        monkeypatch.setenv(name, PLANTED)
    monkeypatch.setenv("EXPORT_COPYLEAKS_EMAIL", "team@example.com")
    told = command("check", "--json")
    assert {told.json["variables"][name] for name in names} == {"set"}
    assert PLANTED not in told.stdout + told.stderr + command("check").stdout


def test_a_public_key_is_shown(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORT_STORAGE_URL", URLS["sftp"])
    monkeypatch.setenv("EXPORT_SFTP_HOST_KEY", "ssh-ed25519 AAAA")
    told = command("check", "--json").json["variables"]
    assert told["EXPORT_SFTP_HOST_KEY"] == "ssh-ed25519 AAAA"
