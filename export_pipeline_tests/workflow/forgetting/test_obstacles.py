"""What keeps a scan from being forgotten, told before anything is deleted."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from export_pipeline.archive.holds import is_held
from export_pipeline.errors import NotForgotten
from export_pipeline.ledger import holds, leases, schema
from export_pipeline.ledger.rows import ScanState
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredVersion
from export_pipeline.workflow.forgetting.hold import hold, release
from export_pipeline.workflow.forgetting.retention import Retained, retain
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline_tests.workflow.forgetting.traces import (
    Seen,
    forgetting,
    spec,
)
from export_pipeline_tests.workflow.world import World


def test_a_held_scan_is_kept_until_it_is_released(one_world: World) -> None:
    (scan,) = one_world.archive([spec("held")])
    before = one_world.stored("held")
    place = (one_world.settings, one_world.ledger, one_world.store)
    asyncio.run(hold(*place, scan.key, "case 7"))
    assert asyncio.run(hold(*place, scan.key, "another")).reason == "case 7"
    with pytest.raises(NotForgotten, match=r"held is on hold since .*: case 7; release it"):
        one_world.run(one_world.pipeline(), forgetting(scan.key))
    assert one_world.stored("held") == before
    one_world.write(holds.release, scan.key)
    with pytest.raises(NotForgotten, match="on hold in the store, which the ledger does not know"):
        one_world.run(one_world.pipeline(), forgetting(scan.key))
    assert asyncio.run(release(one_world.ledger, one_world.store, scan.key)) is False
    assert not asyncio.run(is_held(one_world.store, scan.key))
    one_world.run(one_world.pipeline(), forgetting(scan.key))
    with pytest.raises(NotForgotten, match="cannot be held: it is forgotten already"):
        asyncio.run(hold(*place, scan.key, "too late"))


def test_what_somebody_works_on_is_refused_before_anything_is_deleted(one_world: World) -> None:
    (scan,) = one_world.archive([spec("at-work")])
    before = one_world.stored("at-work")
    (order,) = one_world.orders("at-work")
    held = sa.update(schema.orders).where(schema.orders.c.id == order.id)
    one_world.write(lambda tx: tx.run(held.values(state="completed", lease_until=tx.now + 900)))
    with pytest.raises(NotForgotten, match=f"its order {order.id} is being collected; nothing was"):
        one_world.run(one_world.pipeline(), forgetting(scan.key, patience=2.0))
    one_world.write(lambda tx: tx.run(held.values(state="closed", lease_until=None)))
    view = Seen("a backfill is under way")
    with pytest.raises(NotForgotten, match="a backfill is under way; try again"):
        one_world.run(one_world.pipeline(), forgetting(scan.key, view=view))
    assert one_world.stored("at-work") == before
    assert one_world.scan("at-work").state == ScanState.ARCHIVED
    one_world.run(one_world.pipeline(), forgetting(scan.key))


def test_a_vendor_that_can_still_write_by_itself_is_waited_for(one_world: World) -> None:
    """Nothing takes a signed URL back: what it writes after the erasure nobody would find."""
    (scan,) = one_world.archive([spec("signed")])
    pipeline = replace(one_world.pipeline(), store=SigningStore(one_world.home / "archive"))
    with pytest.raises(NotForgotten, match="copyleaks can write into the store until 20"):
        one_world.run(pipeline, forgetting(scan.key))
    assert one_world.stored("signed") == one_world.recorded("signed")


def test_a_locked_object_is_named_before_anything_is_deleted(one_world: World) -> None:
    scan, other = one_world.archive([spec("all-locked"), spec("not-locked")])
    locking = replace(one_world.pipeline(), store=LockingStore(one_world.home / "archive"))
    with pytest.raises(NotForgotten, match=r"data/pdf_report.pdf is kept by a lock until 2040"):
        one_world.run(locking, forgetting(other.key, scan.key))
    for one in ("all-locked", "not-locked"):
        assert one_world.stored(one) == one_world.recorded(one)
        assert one_world.scan(one).state == ScanState.ARCHIVED


def test_the_retention_passes_over_what_something_keeps_and_says_what(one_world: World) -> None:
    scans = one_world.archive([spec("locked"), spec("due-1"), spec("due-2")])
    long_ago = sa.update(schema.generations).where(
        schema.generations.c.scan_id.in_([one.id for one in scans])
    )
    one_world.write(lambda tx: tx.run(long_ago.values(sealed_at=0.0)))
    locking = replace(one_world.pipeline(), store=LockingStore(one_world.home / "archive"))

    async def work(pipeline: Pipeline) -> list[Retained]:
        return [await retain(pipeline, 30, Seen(), limit=limit) for limit in (1, 100)]

    first, second = one_world.run(locking, work)
    assert (first.forgotten, second.forgotten) == (1, 1)
    assert (first.left, second.left) == (True, False)
    for told in (first, second):
        assert len(told.kept) == 1
        assert "pdf_report.pdf is kept by a lock until 2040" in told.kept[0]
    assert one_world.scan("locked").state == ScanState.ARCHIVED
    one_world.run(one_world.pipeline(), forgetting(scans[0].key))


def test_two_do_not_forget_at_once(one_world: World) -> None:
    (scan,) = one_world.archive([spec("twice")])
    one_world.write(leases.acquire, "forget", "another process", 60.0)
    with pytest.raises(NotForgotten, match="another `forget` is at work"):
        one_world.run(one_world.pipeline(), forgetting(scan.key))
    one_world.write(leases.release, "forget", "another process")
    one_world.run(one_world.pipeline(), forgetting(scan.key))
    again = one_world.run(one_world.pipeline(), forgetting(scan.key))
    assert (again.objects, again.tables) == (0, 0)


class SigningStore(LocalStore):
    """A store that signs uploads."""

    capabilities = replace(LocalStore.capabilities, signs_uploads=True)


class LockingStore(LocalStore):
    """A store that keeps one file."""

    async def versions(self, key: str) -> AsyncIterator[StoredVersion]:
        async for found in super().versions(key):
            is_kept = found.key.endswith("locked/1/data/pdf_report.pdf") and "not-" not in found.key
            yield replace(found, lock="a lock until 2040" if is_kept else "")
