import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import botocore.session
import pytest
from typer.testing import CliRunner

from export_pipeline.cli.app import app
from export_pipeline.errors import AccessDenied, ConfigError, StoreError
from export_pipeline.storage.options import read_options
from export_pipeline.storage.probe import probe
from export_pipeline.storage.s3.open import open_store
from export_pipeline.storage.s3.options import S3Options
from export_pipeline.storage.s3.place import find

pytestmark = pytest.mark.usefixtures("no_credentials")


@pytest.mark.parametrize(
    ("variables", "address", "region"),
    [
        ({}, "https://bucket.s3.amazonaws.com", "us-east-1"),
        ({"REGION": "eu-west-1"}, "https://bucket.s3.eu-west-1.amazonaws.com", "eu-west-1"),
        (
            {"REGION": "eu-west-1", "ADDRESSING_STYLE": "path"},
            "https://s3.eu-west-1.amazonaws.com/bucket",
            "eu-west-1",
        ),
        (
            {"ENDPOINT": "http://127.0.0.1:8333", "REGION": "x"},
            "http://127.0.0.1:8333/bucket",
            "x",
        ),
        (
            {"ENDPOINT": "https://s3.example.org", "ADDRESSING_STYLE": "virtual", "REGION": "x"},
            "https://bucket.s3.example.org",
            "x",
        ),
    ],
)
def test_address_and_region_follow_from_what_is_set(
    variables: dict[str, str], address: str, region: str
) -> None:
    named = {f"EXPORT_S3_{name}": value for name, value in variables.items()}
    place, _ = find("bucket", read_options(S3Options, named), lambda: 0)
    assert (place.url, place.region) == (address, region)


def test_without_keys_the_default_chain_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKCHAIN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    store = open_store(urlsplit("s3://bucket"), {})
    assert store.capabilities.signs_uploads
    assert "AKCHAIN" in (store.sign_download("a", seconds=60) or "")


def test_a_profile_is_taken_where_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        "[archive]\naws_access_key_id = AKPROFILE\naws_secret_access_key = secret\n"
    )
    store = open_store(urlsplit("s3://bucket"), {"EXPORT_S3_PROFILE": "archive"})
    assert "AKPROFILE" in (store.sign_download("a", seconds=60) or "")


def test_a_role_signs_for_no_longer_than_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKROLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", ends.isoformat())
    store = open_store(urlsplit("s3://bucket"), {})
    assert store.sign_upload("a", seconds=3_000) is not None
    with pytest.raises(StoreError, match="credentials end before"):
        store.sign_upload("a", seconds=3_700)


def test_a_token_of_the_chain_whose_end_is_unknown_signs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKROLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    store = open_store(urlsplit("s3://bucket"), {})
    assert store.sign_upload("a", seconds=60) is None
    assert not store.capabilities.signs_uploads


def test_no_credentials_at_all_are_told_at_the_first_use() -> None:
    store = open_store(urlsplit("s3://bucket"), {})
    with pytest.raises(AccessDenied, match="EXPORT_S3_ACCESS_KEY_ID"):
        store.sign_upload("a", seconds=60)


def test_without_credentials_a_store_knows_what_needs_none_and_its_probe_tells_each_step() -> None:
    store = open_store(urlsplit("s3://bucket/p"), {})
    assert store.capabilities.create_only
    assert store.capabilities.checksums
    steps = asyncio.run(probe(store, "token"))
    assert [(step.name, step.ok) for step in steps] == [("write", False), ("delete", False)]
    assert all("set EXPORT_S3_ACCESS_KEY_ID" in step.words for step in steps)


def test_capabilities_look_for_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(_: object) -> None:
        raise AssertionError("credentials were looked for")

    monkeypatch.setattr(botocore.session.Session, "get_credentials", looked)
    assert open_store(urlsplit("s3://bucket"), {}).capabilities.signs_uploads


@pytest.mark.parametrize("where", ["environment", "profile"])
def test_keys_that_the_chain_finds_are_not_lent_either(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
) -> None:
    variables = {
        "EXPORT_S3_REGION": "eu-west-1",
        "EXPORT_CLOUDCONVERT_S3_ACCESS_KEY_ID": "AKOWN",
        "EXPORT_CLOUDCONVERT_S3_SECRET_ACCESS_KEY": "own-secret",
    }
    if where == "profile":
        (tmp_path / "credentials").write_text(
            "[archive]\naws_access_key_id = AKOWN\naws_secret_access_key = own-secret\n"
        )
        variables["EXPORT_S3_PROFILE"] = "archive"
    else:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKOWN")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "own-secret")
    with pytest.raises(ConfigError, match="own key is never given to a vendor") as told:
        open_store(urlsplit("s3://bucket/p"), variables).cloudconvert("a")
    assert "own-secret" not in str(told.value)
    others = variables | {"EXPORT_CLOUDCONVERT_S3_ACCESS_KEY_ID": "AKLENT"}
    assert open_store(urlsplit("s3://bucket/p"), others).cloudconvert("a") is not None


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_DEFAULT_REGION"])
def test_what_aws_own_variables_have_wrong_is_told_by_their_names(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "no such one")
    with pytest.raises(ConfigError, match=f"^{name}: .*no such one"):
        open_store(urlsplit(f"s3://bucket-{name.lower().replace('_', '-')}"), {})


def test_check_goes_on_to_the_rest_where_there_are_no_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EXPORT_STORAGE_URL", "s3://bucket/p")
    told = CliRunner().invoke(app, ["check", "--init", "--home", str(tmp_path), "--json"])
    found = {one["name"]: one for one in json.loads(told.stdout)["findings"]}
    assert "no S3 credentials" in found["store: write"]["text"]
    assert {"store: delete", "signing key", "receiver"} <= set(found)
    assert told.exit_code == 1
