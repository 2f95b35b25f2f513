from pathlib import Path

import dagster as dg
import pytest
from dagster_aws.s3 import S3Resource

from export_pipeline.defs.resources import PipelineSettings, Storage, resources
from export_pipeline.defs.s3 import S3Storage
from export_pipeline.errors import ConfigError


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EXPORT_PIPELINE_HOME", str(tmp_path))
    monkeypatch.setenv("EXPORT_STORAGE_URL", "s3://bucket/archive")
    monkeypatch.setenv("EXPORT_S3_REGION", "eu-west-1")
    monkeypatch.setenv("EXPORT_S3_ACCESS_KEY_ID", "AKVARIABLE")
    monkeypatch.setenv("EXPORT_S3_SECRET_ACCESS_KEY", "secret")


def signed_by(storage: Storage) -> str:
    return storage.open().sign_download("a", seconds=60) or ""


def test_the_scheme_of_the_url_chooses_the_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = resources()["storage"]
    assert isinstance(chosen, S3Storage)
    assert isinstance(chosen, S3Resource)
    assert "bucket.s3.eu-west-1.amazonaws.com/archive/a?" in signed_by(chosen)
    monkeypatch.setenv("EXPORT_STORAGE_URL", "/srv/archive")
    assert type(resources()["storage"]) is Storage


def test_what_is_configured_in_dagster_goes_before_the_variables() -> None:
    storage = S3Storage(
        settings=PipelineSettings(),
        url="s3://other/place",
        region_name="us-west-2",
        endpoint_url="https://s3.example.org",
        aws_access_key_id="AKDAGSTER",
        aws_secret_access_key="secret",
    )
    url = signed_by(storage)
    assert url.startswith("https://s3.example.org/other/place/a?")
    assert "AKDAGSTER%2F" in url
    assert "us-west-2" in url


def test_ops_are_given_the_resource_and_not_a_client() -> None:
    seen = []

    @dg.op(required_resource_keys={"storage"})
    def look(context: dg.OpExecutionContext) -> None:
        seen.append(context.resources.storage.open().url)

    @dg.job(resource_defs={"storage": resources()["storage"]})
    def looking() -> None:
        look()

    assert looking.execute_in_process().success
    assert seen == ["s3://bucket/archive"]


@pytest.mark.parametrize(
    "unsafe", [{"use_unsigned_session": True}, {"verify": False}, {"use_ssl": False}]
)
def test_a_field_that_leaves_the_archive_unsafe_is_refused(unsafe: dict[str, bool]) -> None:
    with pytest.raises(ConfigError, match="S3Storage: use_unsigned_session"):
        S3Storage(settings=PipelineSettings(), **unsafe).open()
