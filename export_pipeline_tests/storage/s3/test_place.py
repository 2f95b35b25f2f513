from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from export_pipeline.errors import AccessDenied, StoreError
from export_pipeline.storage.options import read_options
from export_pipeline.storage.s3.open import open_store
from export_pipeline.storage.s3.options import S3Options
from export_pipeline.storage.s3.place import find


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


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
    assert not store.capabilities.signs_uploads
    assert store.sign_upload("a", seconds=60) is None


def test_no_credentials_at_all_are_told_at_the_first_use() -> None:
    store = open_store(urlsplit("s3://bucket"), {})
    with pytest.raises(AccessDenied, match="EXPORT_S3_ACCESS_KEY_ID"):
        store.sign_upload("a", seconds=60)
