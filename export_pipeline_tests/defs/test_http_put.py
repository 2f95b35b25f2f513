import asyncio
from pathlib import Path

import dagster as dg
import pytest

from export_pipeline.defs.http_put import HttpPutStorage
from export_pipeline.defs.resources import PipelineSettings, resources
from export_pipeline.errors import AccessDenied, ConfigError
from export_pipeline_tests.servers.web_target import TOKEN, WebTarget, running_web_target
from export_pipeline_tests.storage.conformance import put


@pytest.fixture
def web(tmp_path: Path) -> WebTarget:
    with running_web_target(tmp_path / "web") as server:
        yield server


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EXPORT_PIPELINE_HOME", str(tmp_path))
    monkeypatch.setenv("EXPORT_STORAGE_URL", "https://archive.example/exports")
    monkeypatch.setenv("EXPORT_HTTP_BEARER_TOKEN", "of-the-environment")


def test_the_scheme_of_the_url_chooses_the_resource_and_the_variables_hold() -> None:
    chosen = resources()["storage"]
    assert isinstance(chosen, HttpPutStorage)
    store = chosen.open()
    assert store.url == "https://archive.example/exports"
    assert not store.capabilities.create_only


def test_a_url_that_cannot_be_read_lets_definitions_load_and_is_told_when_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXPORT_STORAGE_URL", "https://[::1/exports")
    with pytest.raises(ConfigError, match="EXPORT_STORAGE_URL: its host or port"):
        resources()["storage"].open()


def test_what_is_configured_in_dagster_goes_before_the_variables(web: WebTarget) -> None:
    settings = PipelineSettings()
    url = web.new_folder()
    with pytest.raises(AccessDenied):
        asyncio.run(put(HttpPutStorage(settings=settings, url=url).open(), "a"))
    store = HttpPutStorage(settings=settings, url=url, bearer_token=TOKEN, create_only=True).open()
    assert store.capabilities.create_only
    asyncio.run(put(store, "a", b"x"))
    assert [file.read_bytes() for file in web.files.rglob("a")] == [b"x"]


def test_each_field_is_its_variable() -> None:
    storage = HttpPutStorage(
        settings=PipelineSettings(),
        username="user",
        password="pass-word",
        headers={"x-api-key": "key"},
        create_only=False,
    )
    assert storage.variables() == {
        "EXPORT_HTTP_USERNAME": "user",
        "EXPORT_HTTP_PASSWORD": "pass-word",
        "EXPORT_HTTP_HEADERS": '{"x-api-key": "key"}',
        "EXPORT_HTTP_CREATE_ONLY": "False",
    }
    with pytest.raises(ConfigError, match="EXPORT_HTTP_BEARER_TOKEN and EXPORT_HTTP_USERNAME"):
        storage.open()


def test_secrets_may_come_from_the_environment_and_are_marked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOKEN_OF_THE_SERVER", "of-another-variable")
    seen = []

    @dg.op
    def look(storage: HttpPutStorage) -> None:
        seen.append(storage.variables())

    storage = HttpPutStorage(
        settings=PipelineSettings(), bearer_token=dg.EnvVar("TOKEN_OF_THE_SERVER")
    )

    @dg.job(resource_defs={"storage": storage})
    def looking() -> None:
        look()

    assert looking.execute_in_process().success
    assert seen == [{"EXPORT_HTTP_BEARER_TOKEN": "of-another-variable"}]
    fields = HttpPutStorage.to_config_schema().as_field().config_type.fields  # type: ignore[attr-defined]
    secret = {name for name, field in fields.items() if field.is_secret}
    assert secret == {"password", "bearer_token", "headers"}
