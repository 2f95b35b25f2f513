from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline.sandbox import SandboxOptions
from export_pipeline.sandbox.cloudconvert import CloudConvertOptions
from export_pipeline_tests.vendors.bench import connected
from export_pipeline_tests.vendors.cloudconvert.bench import CloudConvertBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[CloudConvertBench]:
    with connected(
        CloudConvertBench, tmp_path, SandboxOptions(cloudconvert=CloudConvertOptions(pace="fast"))
    ) as made:
        yield made
