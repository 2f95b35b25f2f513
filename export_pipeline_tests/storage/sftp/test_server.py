"""What a server may do otherwise: replace files by a rename, or lack extensions."""

import asyncio
from pathlib import Path

import asyncssh
import pytest

from export_pipeline.storage.open import open_store
from export_pipeline.storage.probe import NO_CREATE_ONLY, probe
from export_pipeline_tests.servers.asyncssh_sftp import Faults
from export_pipeline_tests.servers.sshd import LOOPBACK, SftpServer
from export_pipeline_tests.storage.conformance import LARGE, put, read


def test_the_servers_plain_rename_refuses_a_name_that_is_taken_and_its_posix_rename_does_not(
    server: SftpServer, folder: Path
) -> None:
    """Why the one is used, and the other never."""
    for name in ("draft", "taken"):
        (folder / name).write_text(name)
    root = f"{server.root}/{folder.name}"

    async def scenario() -> None:
        async with (
            asyncssh.connect(
                LOOPBACK,
                server.port,
                username=server.user,
                client_keys=[asyncssh.import_private_key(server.private_key)],
                known_hosts=([asyncssh.import_public_key(server.host_key)], [], []),
                config=None,
            ) as connection,
            connection.start_sftp_client() as sftp,
        ):
            with pytest.raises(asyncssh.SFTPFailure):
                await sftp.rename(f"{root}/draft", f"{root}/taken")
            assert (folder / "taken").read_text() == "taken"
            await sftp.posix_rename(f"{root}/draft", f"{root}/taken")

    asyncio.run(scenario())
    assert (folder / "taken").read_text() == "draft"


def test_a_server_whose_rename_replaces_files_is_found_out_and_then_looked_at_first(
    faulty: tuple[SftpServer, Faults],
) -> None:
    server, faults = faulty
    faults.is_replacing = True
    url = server.url(server.new_folder())
    found = {step.name: step for step in asyncio.run(probe(open_store(url, server.variables())))}
    assert found["create-only"].ok is False
    assert "say so with EXPORT_SFTP_CREATE_ONLY=false" in found["create-only"].words
    store = open_store(url, {**server.variables(), "EXPORT_SFTP_CREATE_ONLY": "false"})
    assert not store.capabilities.create_only
    steps = {step.name: step for step in asyncio.run(probe(store))}
    assert (steps["create-only"].ok, steps["create-only"].words) == (None, NO_CREATE_ONLY)


def test_a_server_without_extensions_is_used_as_well(
    faulty: tuple[SftpServer, Faults], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No `copy-data`, `fsync`, `limits` and `statvfs`, as many have none."""
    monkeypatch.setattr("asyncssh.sftp.SFTPServerHandler._extensions", [])
    server, faults = faulty
    store = open_store(server.url(server.new_folder()), server.variables())

    async def scenario() -> None:
        await put(store, "source", LARGE)
        await store.copy("source", "target")
        assert await read(store, "target") == LARGE

    asyncio.run(scenario())
    assert "fsync" not in faults.requests
