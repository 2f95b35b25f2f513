from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from export_pipeline.defs.resources import PipelineSettings, resources
from export_pipeline.defs.sftp import SftpStorage
from export_pipeline.errors import ConfigError
from export_pipeline_tests.servers.asyncssh_sftp import PASSWORD, running_asyncssh
from export_pipeline_tests.servers.sshd import SftpServer
from export_pipeline_tests.storage.conformance import put, read


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SftpServer]:
    """One that knows the user's password, and is known by EXPORT_SFTP_HOST_KEY."""
    with running_asyncssh() as (running, _):
        monkeypatch.setenv("EXPORT_PIPELINE_HOME", str(tmp_path))
        monkeypatch.setenv("EXPORT_STORAGE_URL", running.url(running.new_folder()))
        monkeypatch.setenv("EXPORT_SFTP_HOST_KEY", running.host_key)
        monkeypatch.setenv("EXPORT_SFTP_PASSWORD", "wrong")
        yield running


def test_the_scheme_of_the_url_chooses_the_resource(server: SftpServer) -> None:
    storage = resources()["storage"]
    assert isinstance(storage, SftpStorage)
    assert storage.open().url.startswith(f"sftp://127.0.0.1:{server.port}/archive-")


def test_what_is_configured_in_dagster_goes_before_the_variables(server: SftpServer) -> None:
    other = server.new_folder()
    storage = SftpStorage(
        settings=PipelineSettings(), url=server.url(other), private_key=server.private_key
    )
    assert storage.variables() == {"EXPORT_SFTP_PRIVATE_KEY": server.private_key}
    everything = SftpStorage(
        settings=PipelineSettings(),
        password="a",
        private_key_file="b",
        passphrase="c",
        host_key="d",
        known_hosts="e",
    )
    assert everything.variables() == {
        "EXPORT_SFTP_PASSWORD": "a",
        "EXPORT_SFTP_PRIVATE_KEY_FILE": "b",
        "EXPORT_SFTP_PASSPHRASE": "c",
        "EXPORT_SFTP_HOST_KEY": "d",
        "EXPORT_SFTP_KNOWN_HOSTS": "e",
    }


def test_a_field_that_cannot_be_used_is_named_by_its_variable(server: SftpServer) -> None:
    with pytest.raises(ConfigError, match="EXPORT_SFTP_HOST_KEY: write a public key"):
        SftpStorage(settings=PipelineSettings(), host_key="SHA256:x").open()


def test_secrets_may_come_from_the_environment_and_are_marked(
    server: SftpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD_OF_THE_ARCHIVE", PASSWORD)
    seen = []

    @dg.op(required_resource_keys={"storage"})
    async def look(context: dg.OpExecutionContext) -> None:
        store = context.resources.storage.open()
        await put(store, "a", b"bytes")
        seen.append(await read(store, "a"))

    storage = SftpStorage(
        settings=PipelineSettings(), password=dg.EnvVar("PASSWORD_OF_THE_ARCHIVE")
    )

    @dg.job(resource_defs={"storage": storage})
    def looking() -> None:
        look()

    assert looking.execute_in_process().success
    assert seen == [b"bytes"]
    fields = SftpStorage.to_config_schema().as_field().config_type.fields  # type: ignore[attr-defined]
    secret = {name for name, field in fields.items() if field.is_secret}
    assert secret == {"password", "private_key", "passphrase"}
