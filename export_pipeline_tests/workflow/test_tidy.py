"""What is archived is deleted at the vendor if the user asked for it, and not before."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from export_pipeline.errors import VendorUnavailable
from export_pipeline.ledger.rows import Order, Scan, ScanState
from export_pipeline.workflow.reconcile import is_needed
from export_pipeline.workflow.tidy import AGAIN_SECONDS
from export_pipeline_tests.workflow.pulling import Pulled, fault


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Pulled]:
    made = Pulled(tmp_path)
    yield made
    made.ledger.close()


@pytest.fixture
def deleted(home: Pulled, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the vendor was told to delete."""
    told: list[str] = []

    async def after_sealed(scan: Scan, orders: Sequence[Order]) -> None:
        told.append(scan.scan)
        if len(told) == 1:
            raise fault(VendorUnavailable, "it is active")

    monkeypatch.setattr(home.vendor, "deletes_archived", True)
    monkeypatch.setattr(home.vendor, "after_sealed", after_sealed)
    return told


def test_nothing_is_deleted_before_the_seal_and_a_failure_is_tried_again(
    home: Pulled, deleted: list[str]
) -> None:
    scan = home.ordered("essay")
    home.reconcile()
    assert deleted == []
    home.end(home.newest(scan))
    home.poll()
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    home.reconcile()
    assert deleted == ["essay"]
    assert "not deleted at the vendor yet" in home.events(scan)
    assert not home.look(is_needed, home.vendor)
    home.now += AGAIN_SECONDS
    assert home.look(is_needed, home.vendor)
    home.reconcile()
    assert deleted == ["essay", "essay"]
    assert home.events(scan)[-1] == "deleted at the vendor"
    home.now += AGAIN_SECONDS
    assert not home.look(is_needed, home.vendor)


def test_nobody_deletes_what_the_user_did_not_ask_for(home: Pulled) -> None:
    scan = home.ordered("essay")
    home.end(home.newest(scan))
    home.poll()
    home.collect()
    home.reconcile()
    assert "deleted at the vendor" not in home.events(scan)
