"""The sessions of the stores that speak HTTP: each is closed, whatever becomes of its store."""

import asyncio
import gc

import pytest

from export_pipeline.storage.http import Http
from export_pipeline_tests.servers.web_target import WebTarget, running_web_target


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> WebTarget:
    with running_web_target(tmp_path_factory.mktemp("web")) as server:
        yield server


@pytest.mark.filterwarnings("error::ResourceWarning")
def test_a_session_whose_store_is_dropped_while_its_loop_runs_is_closed_with_the_loop(
    web: WebTarget,
) -> None:
    """Else it was closed, or complained, whenever the garbage happened to be collected."""

    async def scenario() -> None:
        assert (await Http().send("GET", f"{web.new_folder()}/nothing", {})).status in {401, 404}
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(scenario())
    gc.collect()
