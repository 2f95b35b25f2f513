from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from export_pipeline.sandbox import Sandbox, SteppedClock
from export_pipeline_tests.vendors.hookbridge.bench import HookBridgeBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[HookBridgeBench]:
    clock = SteppedClock()
    with Sandbox(clock=clock) as sandbox:
        found = HookBridgeBench(tmp_path, sandbox, clock)
        with closing(found.ledger):
            yield found
