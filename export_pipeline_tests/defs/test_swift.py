from pathlib import Path

import dagster as dg
import pytest

from export_pipeline.defs.resources import PipelineSettings, resources
from export_pipeline.defs.swift import SwiftStorage
from export_pipeline.errors import ConfigError


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EXPORT_PIPELINE_HOME", str(tmp_path))
    monkeypatch.setenv("EXPORT_STORAGE_URL", "swift://container/archive")
    monkeypatch.setenv("EXPORT_SWIFT_AUTH_URL", "https://keystone.example.org")
    monkeypatch.setenv("EXPORT_SWIFT_USERNAME", "archiver")
    monkeypatch.setenv("EXPORT_SWIFT_PASSWORD", "secret")


def test_the_scheme_of_the_url_chooses_the_resource_and_the_variables_make_the_store() -> None:
    chosen = resources()["storage"]
    assert isinstance(chosen, SwiftStorage)
    store = chosen.open()
    assert store.url == "swift://container/archive"
    assert not store.capabilities.signs_uploads


def test_what_is_configured_in_dagster_goes_before_the_variables() -> None:
    storage = SwiftStorage(
        settings=PipelineSettings(),
        url="swift://Other/place",
        auth_url="https://other.example.org/v3",
        username="other",
        password="other-secret",
        tenant_name="project",
        region="DE",
        tempurl_key="key",
    )
    assert storage.variables() == {
        "EXPORT_SWIFT_AUTH_URL": "https://other.example.org/v3",
        "EXPORT_SWIFT_USERNAME": "other",
        "EXPORT_SWIFT_PASSWORD": "other-secret",
        "EXPORT_SWIFT_TENANT_NAME": "project",
        "EXPORT_SWIFT_REGION": "DE",
        "EXPORT_SWIFT_TEMPURL_KEY": "key",
    }
    store = storage.open()
    assert store.url == "swift://Other/place"
    assert store.capabilities.signs_uploads


def test_a_field_that_cannot_be_used_is_named_by_its_variable() -> None:
    with pytest.raises(ConfigError, match="EXPORT_SWIFT_AUTH_URL: write it as"):
        SwiftStorage(settings=PipelineSettings(), auth_url="keystone").open()


def test_secrets_may_come_from_the_environment_and_are_marked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KEY_OF_THE_CONTAINER", "key")
    seen = []

    @dg.op(required_resource_keys={"storage"})
    def look(context: dg.OpExecutionContext) -> None:
        seen.append(context.resources.storage.open().capabilities.signs_uploads)

    storage = SwiftStorage(
        settings=PipelineSettings(), tempurl_key=dg.EnvVar("KEY_OF_THE_CONTAINER")
    )

    @dg.job(resource_defs={"storage": storage})
    def looking() -> None:
        look()

    assert looking.execute_in_process().success
    assert seen == [True]
    fields = SwiftStorage.to_config_schema().as_field().config_type.fields  # type: ignore[attr-defined]
    secret = {name for name, field in fields.items() if field.is_secret}
    assert secret == {"password", "tempurl_key"}
