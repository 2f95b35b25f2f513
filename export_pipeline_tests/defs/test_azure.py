from pathlib import Path

import dagster as dg
import pytest

from export_pipeline.defs.azure import AzureStorage
from export_pipeline.defs.resources import PipelineSettings, Storage, resources
from export_pipeline.errors import ConfigError

TOKEN = "sv=2025-05-05&se=2099-01-01&sp=racwdl&sr=c&sig=c2VjcmV0"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EXPORT_PIPELINE_HOME", str(tmp_path))
    monkeypatch.setenv("EXPORT_STORAGE_URL", "az://account/container/archive")
    monkeypatch.setenv("EXPORT_AZURE_ACCESS_KEY", "c2VjcmV0")


def signed_by(storage: Storage) -> str:
    return storage.open().sign_download("a", seconds=60) or ""


def test_the_scheme_of_the_url_chooses_the_resource_and_the_variables_hold() -> None:
    chosen = resources()["storage"]
    assert isinstance(chosen, AzureStorage)
    url = signed_by(chosen)
    assert url.startswith("https://account.blob.core.windows.net/container/archive/a?")


def test_what_is_configured_in_dagster_goes_before_the_variables() -> None:
    settings = PipelineSettings()
    other = AzureStorage(
        settings=settings,
        url="az://other/place",
        endpoint="https://other.blob.core.usgovcloudapi.net",
        access_key="b3RoZXI=",
    )
    assert signed_by(other).startswith("https://other.blob.core.usgovcloudapi.net/place/a?")
    with pytest.raises(ConfigError, match="EXPORT_AZURE_ACCESS_KEY and EXPORT_AZURE_SAS_TOKEN"):
        AzureStorage(settings=settings, sas_token=TOKEN).open()


def test_with_only_a_sas_token_nothing_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXPORT_AZURE_ACCESS_KEY")
    store = AzureStorage(settings=PipelineSettings(), sas_token=TOKEN).open()
    assert not store.capabilities.signs_uploads


def test_secrets_may_come_from_the_environment_and_are_marked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KEY_OF_THE_ACCOUNT", "b3RoZXI=")
    seen = []

    @dg.op
    def look(storage: AzureStorage) -> None:
        seen.append((storage.open().url, storage.variables()))

    storage = AzureStorage(settings=PipelineSettings(), access_key=dg.EnvVar("KEY_OF_THE_ACCOUNT"))

    @dg.job(resource_defs={"storage": storage})
    def looking() -> None:
        look()

    assert looking.execute_in_process().success
    assert seen == [("az://account/container/archive", {"EXPORT_AZURE_ACCESS_KEY": "b3RoZXI="})]
    fields = AzureStorage.to_config_schema().as_field().config_type.fields  # type: ignore[attr-defined]
    assert {name for name, field in fields.items() if field.is_secret} == {
        "access_key",
        "sas_token",
    }
