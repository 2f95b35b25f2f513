from collections.abc import Iterator

import pytest

from export_pipeline_tests.defs.lab import Lab
from export_pipeline_tests.defs.lab import lab as make_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One laboratory for a file's tests; each registers scans of its own."""
    with make_lab(tmp_path_factory.mktemp("lab")) as made:
        yield made
