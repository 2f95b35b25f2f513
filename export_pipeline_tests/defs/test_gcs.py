from pathlib import Path

import dagster as dg
import pytest
from dagster_gcp.gcs import GCSResource

from export_pipeline.defs.gcs import GCSStorage
from export_pipeline.defs.resources import PipelineSettings, Storage
from export_pipeline_tests.servers.google import Google

VARIABLE = Google(url="https://google.example", address="variable@p.iam.gserviceaccount.com")
DAGSTER = Google(url="https://google.example", address="dagster@p.iam.gserviceaccount.com")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EXPORT_PIPELINE_HOME", str(tmp_path))
    monkeypatch.setenv("EXPORT_STORAGE_URL", "gs://bucket/archive")
    monkeypatch.setenv("EXPORT_GCS_KEY", VARIABLE.key_file())


def signed_by(storage: Storage) -> str:
    return storage.open().sign_download("a", seconds=60) or ""


def test_it_is_dagster_gcps_resource_opened_with_the_variables() -> None:
    storage = GCSStorage(settings=PipelineSettings())
    assert isinstance(storage, GCSResource)
    url = signed_by(storage)
    assert url.startswith("https://storage.googleapis.com/bucket/archive/a?")
    assert "variable%40" in url


def test_what_is_configured_in_dagster_goes_before_the_variables() -> None:
    storage = GCSStorage(
        settings=PipelineSettings(),
        url="gs://other/place",
        project="of-the-client",
        key=DAGSTER.key_file(),
        endpoint="https://gcs.example.org",
    )
    url = signed_by(storage)
    assert url.startswith("https://gcs.example.org/other/place/a?")
    assert "dagster%40" in url


def test_ops_are_given_the_resource_and_not_a_client() -> None:
    seen = []

    @dg.op(required_resource_keys={"storage"})
    def look(context: dg.OpExecutionContext) -> None:
        seen.append(context.resources.storage.open().url)

    @dg.job(resource_defs={"storage": GCSStorage(settings=PipelineSettings())})
    def looking() -> None:
        look()

    assert looking.execute_in_process().success
    assert seen == ["gs://bucket/archive"]
