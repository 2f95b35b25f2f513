"""Servers that tests of several folders share."""

from collections.abc import Iterator

import pytest

from export_pipeline.demo.seaweedfs import HOW_TO_GET_IT, find_weed
from export_pipeline_tests.servers import nginx as nginx_server
from export_pipeline_tests.servers.nginx import Nginx, find_nginx, running_nginx
from export_pipeline_tests.servers.seaweedfs import SeaweedFS, running_seaweedfs


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[SeaweedFS]:
    program = find_weed()
    if program is None:
        pytest.skip(HOW_TO_GET_IT)
    with running_seaweedfs(program) as server:
        yield server


@pytest.fixture(scope="session")
def nginx() -> Iterator[Nginx]:
    program = find_nginx()
    if program is None:
        pytest.skip(nginx_server.HOW_TO_GET_IT)
    with running_nginx(program) as server:
        yield server
