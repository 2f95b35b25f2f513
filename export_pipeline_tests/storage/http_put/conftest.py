from collections.abc import Iterator

import pytest

from export_pipeline.storage.http_put.store import HttpPutStore
from export_pipeline.storage.open import open_store
from export_pipeline_tests.servers.nginx import Nginx
from export_pipeline_tests.servers.web_target import WebTarget, running_web_target
from export_pipeline_tests.storage.http_put.faults import WebUpstream


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebTarget]:
    with running_web_target(tmp_path_factory.mktemp("web")) as server:
        yield server


@pytest.fixture
def store(web: WebTarget) -> HttpPutStore:
    return opened(web.new_folder(), web.variables())


@pytest.fixture
def careless(nginx: Nginx) -> HttpPutStore:
    """A store on a server that replaces what it has."""
    return opened(nginx.new_folder(), nginx.variables())


def opened(url: str, variables: dict[str, str]) -> HttpPutStore:
    store = open_store(f"{url}/my%20archive", variables)
    assert isinstance(store, HttpPutStore)
    return store


@pytest.fixture
def upstream(web: WebTarget) -> WebUpstream:
    return WebUpstream(web, web.new_folder())
