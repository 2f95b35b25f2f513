from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from export_pipeline.sandbox import CopyleaksOptions, Sandbox, SandboxOptions, SteppedClock
from export_pipeline_tests.vendors.copyleaks.bench import CopyleaksBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[CopyleaksBench]:
    clock = SteppedClock()
    options = SandboxOptions(CopyleaksOptions(pace="fast"))
    with Sandbox(options, clock) as sandbox:
        found = CopyleaksBench(tmp_path, sandbox, clock)
        with closing(found.ledger):
            yield found
