from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline.sandbox import SandboxOptions
from export_pipeline.sandbox.laserfiche import LaserficheOptions
from export_pipeline_tests.vendors.bench import connected
from export_pipeline_tests.vendors.laserfiche.bench import LaserficheBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LaserficheBench]:
    """Nothing is held: a test's clock stands still while a question would wait."""
    options = SandboxOptions(laserfiche=LaserficheOptions(pace="fast", hold_seconds=0))
    with connected(LaserficheBench, tmp_path, options) as made:
        yield made
