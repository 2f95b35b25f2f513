from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline.sandbox import CopyleaksOptions, SandboxOptions
from export_pipeline_tests.vendors.bench import connected
from export_pipeline_tests.vendors.copyleaks.bench import CopyleaksBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[CopyleaksBench]:
    with connected(CopyleaksBench, tmp_path, SandboxOptions(CopyleaksOptions(pace="fast"))) as made:
        yield made
