"""Who may not read or write, and a folder that is not there, are told in words."""

import asyncio

import pytest

from export_pipeline.errors import AccessDenied, StoreError
from export_pipeline.storage.open import open_store
from export_pipeline_tests.servers.sshd import SftpServer
from export_pipeline_tests.storage.conformance import keys, put, read, require_error_of_every_method


@pytest.mark.parametrize("key", ["a", "folder/a"])
def test_who_may_only_read_is_told_what_to_allow(sshd: SftpServer, key: str) -> None:
    folder = sshd.new_folder()
    (folder / "folder").mkdir(mode=0o755)
    folder.chmod(0o555)
    store = open_store(sshd.url(folder), sshd.variables())

    async def scenario() -> None:
        with pytest.raises(
            AccessDenied,
            match=rf"writing '{key}' in sftp.*permission denied: let user '{sshd.user}'",
        ):
            await put(store, key)
        assert await keys(store) == []

    asyncio.run(scenario())


def test_who_may_not_even_read_is_never_told_that_nothing_is_there(sshd: SftpServer) -> None:
    folder = sshd.new_folder()
    (folder / "a").write_bytes(b"x")
    folder.chmod(0)
    store = open_store(sshd.url(folder), sshd.variables())

    async def scenario() -> None:
        for call in (store.stat("a"), read(store, "a"), keys(store)):
            with pytest.raises(AccessDenied, match="permission denied"):
                await call

    asyncio.run(scenario())


def test_a_missing_folder_is_never_taken_for_a_missing_object_and_never_made(
    server: SftpServer,
) -> None:
    nowhere = server.files / "no such folder"
    store = open_store(server.url(nowhere), server.variables())
    require_error_of_every_method(
        store, StoreError, r"there is no folder '.*no such folder' on 127\.0\.0\.1:\d+", sweeps=True
    )
    assert not nowhere.exists()
