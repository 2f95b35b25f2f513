"""A home on a stepped clock, and a whole small world on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline_tests.workflow.stepped import Stepped, stepped
from export_pipeline_tests.workflow.world import World, world


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Stepped]:
    with stepped(tmp_path / "home") as made:
        yield made


@pytest.fixture(scope="module")
def one_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for the tests of a file: each has scans of its own."""
    with world(tmp_path_factory.mktemp("world") / "home") as made:
        yield made
