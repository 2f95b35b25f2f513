from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from export_pipeline.sandbox import Sandbox, SandboxOptions, SteppedClock
from export_pipeline.sandbox.cloudconvert import CloudConvertOptions
from export_pipeline_tests.vendors.cloudconvert.bench import CloudConvertBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[CloudConvertBench]:
    clock = SteppedClock()
    with Sandbox(SandboxOptions(cloudconvert=CloudConvertOptions(pace="fast")), clock) as sandbox:
        found = CloudConvertBench(tmp_path, sandbox, clock)
        with closing(found.ledger):
            yield found
