"""One connection for all writers of an event loop, which ends with it."""

import asyncio
import gc
import time
from pathlib import Path

from export_pipeline.storage.open import open_store
from export_pipeline.storage.sftp.store import SftpStore
from export_pipeline_tests.servers.asyncssh_sftp import Faults
from export_pipeline_tests.servers.sshd import SftpServer
from export_pipeline_tests.storage.conformance import keys, put
from export_pipeline_tests.storage.sftp.drafts import endless


def test_fifty_writers_share_one_connection_which_ends_with_their_loop(
    faulty: tuple[SftpServer, Faults],
) -> None:
    server, faults = faulty
    store = open_store(server.url(server.new_folder()), server.variables())

    async def scenario() -> None:
        await asyncio.gather(*(put(store, f"a/{number}") for number in range(50)))

    for connections in (1, 2):
        asyncio.run(scenario() if connections == 1 else keys(store))
        assert faults.connections == connections


def test_a_store_that_is_dropped_before_its_loop_ends_leaves_no_connection_behind(
    server: SftpServer, folder: Path
) -> None:
    """As in Dagster, which ends a loop by closing its generators and nothing more."""

    async def scenario() -> None:
        await put(open_store(server.url(folder), server.variables()), "a")

    loop = asyncio.new_event_loop()
    loop.run_until_complete(scenario())
    gc.collect()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    gc.collect()


def test_a_loop_that_ends_under_a_writer_does_not_wait_for_answers_that_never_come(
    store: SftpStore, folder: Path
) -> None:
    async def scenario() -> None:
        await put(store, "a")
        begun = asyncio.Event()
        orphans = [asyncio.create_task(store.put("orphan", endless(folder, begun)))]
        await begun.wait()
        orphans += [asyncio.create_task(keys(store)) for _ in range(20)]
        await asyncio.sleep(0)

    begun = time.monotonic()
    asyncio.run(scenario())
    assert time.monotonic() - begun < 20
    assert asyncio.run(keys(store)) == ["a"]
