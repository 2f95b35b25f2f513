from collections.abc import Iterator

import pytest

from export_pipeline_tests.servers import azurite as azurite_server
from export_pipeline_tests.servers import gcs as gcs_server
from export_pipeline_tests.servers import openstack as openstack_server
from export_pipeline_tests.servers import sshd as sshd_server
from export_pipeline_tests.servers.asyncssh_sftp import running_asyncssh
from export_pipeline_tests.servers.azurite import Azurite, find_azurite, running_azurite
from export_pipeline_tests.servers.gcs import Gcs, find_fake_gcs, running_gcs
from export_pipeline_tests.servers.openstack import find_openstack
from export_pipeline_tests.servers.sshd import SftpServer, find_sshd, running_sshd
from export_pipeline_tests.servers.swift import Swift, running_swift


@pytest.fixture(scope="module")
def azurite() -> Iterator[Azurite]:
    program = find_azurite()
    if program is None:
        pytest.skip(azurite_server.HOW_TO_GET_IT)
    with running_azurite(program) as server:
        yield server


@pytest.fixture(scope="module")
def gcs() -> Iterator[Gcs]:
    program = find_fake_gcs()
    if program is None:
        pytest.skip(gcs_server.HOW_TO_GET_IT)
    with running_gcs(program) as server:
        yield server


@pytest.fixture(scope="module")
def swift() -> Iterator[Swift]:
    installation = find_openstack()
    if installation is None:
        pytest.skip(openstack_server.HOW_TO_GET_IT)
    with running_swift(installation) as server:
        yield server


@pytest.fixture(scope="module")
def sshd() -> Iterator[SftpServer]:
    program = find_sshd()
    if program is None:
        pytest.skip(sshd_server.HOW_TO_GET_IT)
    with running_sshd(program) as server:
        yield server


@pytest.fixture(scope="module")
def password_server() -> Iterator[SftpServer]:
    """One within this process, which takes passwords."""
    with running_asyncssh() as (server, _):
        yield server
