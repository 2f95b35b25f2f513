"""Damage to an archive on local disk."""

from pathlib import Path

import pytest

from export_pipeline.storage.local import LocalStore
from export_pipeline_tests.workflow.auditing.damages import DamageConformance


class TestLocalDisk(DamageConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalStore:
        return LocalStore(tmp_path / "archive")

    @pytest.fixture
    def variables(self, tmp_path: Path) -> dict[str, str]:
        return {"EXPORT_STORAGE_URL": (tmp_path / "archive").as_uri()}
