from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline.storage.open import open_store
from export_pipeline.storage.sftp.store import SftpStore
from export_pipeline_tests.servers.asyncssh_sftp import Faults, running_asyncssh
from export_pipeline_tests.servers.sshd import SftpServer
from export_pipeline_tests.storage.sftp.faults import SftpUpstream

OPENSSH, ASYNCSSH = "openssh", "asyncssh"


@pytest.fixture
def faulty() -> Iterator[tuple[SftpServer, Faults]]:
    with running_asyncssh() as running:
        yield running


@pytest.fixture(params=[OPENSSH, ASYNCSSH])
def server(request: pytest.FixtureRequest) -> SftpServer:
    """Each of the two servers in turn: OpenSSH is what the archive will meet."""
    if request.param == OPENSSH:
        sshd: SftpServer = request.getfixturevalue("sshd")
        return sshd
    running: tuple[SftpServer, Faults] = request.getfixturevalue("faulty")
    return running[0]


@pytest.fixture
def folder(server: SftpServer) -> Path:
    """An empty folder for an archive, as it is on the server's disk."""
    return server.new_folder()


@pytest.fixture
def store(server: SftpServer, folder: Path) -> SftpStore:
    opened = open_store(server.url(folder), server.variables())
    assert isinstance(opened, SftpStore)
    return opened


@pytest.fixture
def upstream(server: SftpServer, folder: Path) -> SftpUpstream:
    return SftpUpstream(server, folder)
