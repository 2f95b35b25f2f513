"""Servers that tests of several folders share, and how hypothesis tries its examples."""

from collections.abc import Iterator
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

from export_pipeline.demo.seaweedfs import HOW_TO_GET_IT, find_weed
from export_pipeline_tests.servers import azurite as azurite_server
from export_pipeline_tests.servers import gcs as gcs_server
from export_pipeline_tests.servers import nginx as nginx_server
from export_pipeline_tests.servers import openstack as openstack_server
from export_pipeline_tests.servers import sshd as sshd_server
from export_pipeline_tests.servers.asyncssh_sftp import running_asyncssh
from export_pipeline_tests.servers.azurite import Azurite, find_azurite, running_azurite
from export_pipeline_tests.servers.gcs import Gcs, find_fake_gcs, running_gcs
from export_pipeline_tests.servers.nginx import Nginx, find_nginx, running_nginx
from export_pipeline_tests.servers.openstack import find_openstack
from export_pipeline_tests.servers.seaweedfs import SeaweedFS, running_seaweedfs
from export_pipeline_tests.servers.sshd import SftpServer, find_sshd, running_sshd
from export_pipeline_tests.servers.swift import Swift, running_swift

Program = TypeVar("Program")

# The same examples every time, however slow the machine: no test fails by chance.
settings.register_profile(
    "certain", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("certain")


def installed(program: Program | None, how_to_get_it: str) -> Program:
    if program is None:
        pytest.skip(how_to_get_it)
    return program


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[SeaweedFS]:
    with running_seaweedfs(installed(find_weed(), HOW_TO_GET_IT)) as server:
        yield server


@pytest.fixture(scope="session")
def nginx() -> Iterator[Nginx]:
    with running_nginx(installed(find_nginx(), nginx_server.HOW_TO_GET_IT)) as server:
        yield server


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    with running_azurite(installed(find_azurite(), azurite_server.HOW_TO_GET_IT)) as server:
        yield server


@pytest.fixture(scope="session")
def gcs() -> Iterator[Gcs]:
    with running_gcs(installed(find_fake_gcs(), gcs_server.HOW_TO_GET_IT)) as server:
        yield server


@pytest.fixture(scope="session")
def swift() -> Iterator[Swift]:
    with running_swift(installed(find_openstack(), openstack_server.HOW_TO_GET_IT)) as server:
        yield server


@pytest.fixture(scope="session")
def sshd() -> Iterator[SftpServer]:
    with running_sshd(installed(find_sshd(), sshd_server.HOW_TO_GET_IT)) as server:
        yield server


@pytest.fixture(scope="session")
def password_server() -> Iterator[SftpServer]:
    """One within this process, which takes passwords."""
    with running_asyncssh() as (server, _):
        yield server
