"""The ledger made anew from local disk; from other stores in `storage/`."""

from pathlib import Path

import pytest

from export_pipeline.storage.local import LocalStore
from export_pipeline_tests.workflow.rebuilding.stores import RebuildConformance


class TestRebuildFromDisk(RebuildConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalStore:
        return LocalStore(tmp_path / "archive")
