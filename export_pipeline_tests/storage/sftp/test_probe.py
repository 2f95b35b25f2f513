"""What `check` finds on an SFTP server."""

import asyncio
from pathlib import Path

from export_pipeline.storage.open import open_store
from export_pipeline.storage.probe import probe
from export_pipeline.storage.sftp.store import SftpStore
from export_pipeline_tests.servers.sshd import SftpServer
from export_pipeline_tests.storage.conformance import keys


def test_a_probe_finds_every_step_works_and_leaves_nothing(store: SftpStore) -> None:
    async def scenario() -> None:
        assert [(step.name, step.ok) for step in await probe(store)] == [
            ("write", True),
            ("read back", True),
            ("create-only", True),
            ("sign", None),
            ("delete", True),
        ]
        assert await keys(store) == []

    asyncio.run(scenario())


def test_a_probe_says_loudly_that_the_host_key_is_not_checked(
    server: SftpServer, folder: Path
) -> None:
    unchecked = {
        **server.variables(),
        "EXPORT_SFTP_HOST_KEY": "",
        "EXPORT_SFTP_HOST_KEY_CHECKING": "false",
    }
    steps = asyncio.run(probe(open_store(server.url(folder), unchecked)))
    assert (steps[0].name, steps[0].ok) == ("caution", None)
    assert "THE HOST KEY IS NOT CHECKED (EXPORT_SFTP_HOST_KEY_CHECKING=false)" in steps[0].words
    assert all(step.ok for step in steps if step.ok is not None)
