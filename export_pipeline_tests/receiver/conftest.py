from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from export_pipeline.receiver.addresses import Addresses
from export_pipeline_tests.receiver.home import Home, make_home
from export_pipeline_tests.servers.receiver import running_receiver


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = make_home(tmp_path / "home")
    yield made
    made.ledger.close()


@pytest.fixture
def addresses(home: Home) -> Iterator[Addresses]:
    with running_receiver(home.ledger, home.store) as made:
        yield made


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=60) as client:
        yield client
