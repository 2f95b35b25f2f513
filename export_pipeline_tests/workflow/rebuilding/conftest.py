"""A new ledger beside the lost one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.home import make_ledger
from export_pipeline_tests.workflow.stepped import Stepped


@pytest.fixture
def empty(home: Stepped, tmp_path: Path) -> Iterator[Ledger]:
    """A new ledger, as `check --init` makes it once the old one is lost."""
    ledger = make_ledger(f"sqlite:///{tmp_path / 'new.sqlite'}", lambda _: home.now)
    yield ledger
    ledger.close()
