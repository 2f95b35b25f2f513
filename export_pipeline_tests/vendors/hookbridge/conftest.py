from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline_tests.vendors.bench import connected
from export_pipeline_tests.vendors.hookbridge.bench import HookBridgeBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[HookBridgeBench]:
    with connected(HookBridgeBench, tmp_path) as made:
        yield made
