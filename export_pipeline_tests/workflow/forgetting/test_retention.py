"""Retention forgets what is due, whatever something keeps, and says what it keeps."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from export_pipeline.archive.layout import FIXITY_FOLDER
from export_pipeline.ledger import registry, retention, schema
from export_pipeline.ledger.rows import Scan, ScanState
from export_pipeline.sandbox import ScanSpec
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredVersion
from export_pipeline.workflow.forgetting import retention as retention_run
from export_pipeline.workflow.forgetting.retention import Retained, retain
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline_tests.workflow.forgetting.traces import Seen
from export_pipeline_tests.workflow.world import World


def sealed_long_ago(place: World, *names: str) -> list[Scan]:
    scans = place.archive([ScanSpec(name, results=1) for name in names])
    long_ago = sa.update(schema.generations).where(
        schema.generations.c.scan_id.in_([one.id for one in scans])
    )
    place.write(lambda tx: tx.run(long_ago.values(sealed_at=0.0)))
    return scans


def retained(
    place: World, pipeline: Pipeline, limit: int, view: Seen | None = None, looks: int = 100
) -> Retained:
    async def work(pipeline: Pipeline) -> Retained:
        return await retain(pipeline, 30, view or Seen(), limit=limit, looks=looks)

    return place.run(pipeline, work)


def test_what_something_keeps_never_keeps_others_from_being_forgotten(one_world: World) -> None:
    sealed_long_ago(one_world, "locked-1", "locked-2", "due-1", "due-2")
    locking = replace(one_world.pipeline(), store=LockingStore(one_world.home / "archive"))
    runs = [retained(one_world, locking, limit=1) for _ in range(3)]
    assert [(told.forgotten, told.left) for told in runs] == [(1, True), (1, True), (0, False)]
    assert [len(told.kept) for told in runs] == [2, 0, 2], "the second went on behind the first"
    assert "pdf_report.pdf is kept by a lock until 2040" in runs[0].kept[0]
    assert any("backups" in words for words in runs[0].stays)
    assert one_world.scan("locked-1").state == ScanState.ARCHIVED
    assert retained(one_world, one_world.pipeline(), limit=100).forgotten == 2


def test_a_table_that_cannot_be_read_is_told_once_however_many_turns_meet_it(
    one_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_run, "SCANS_PER_TURN", 1)
    scans = sealed_long_ago(one_world, "beside-broken-1", "beside-broken-2")
    broken = one_world.home / "archive" / FIXITY_FOLDER / "2026-01-01t000000-broken.parquet"
    broken.parent.mkdir(exist_ok=True)
    broken.write_bytes(b"PAR1")
    told = retained(one_world, one_world.pipeline(), limit=100)
    broken.unlink()
    assert told.forgotten == len(scans)
    (words,) = told.kept
    assert f"{FIXITY_FOLDER}{broken.name} cannot be read" in words


def test_each_run_looks_at_so_many_and_the_next_goes_on_behind_them(one_world: World) -> None:
    sealed_long_ago(one_world, *(f"locked-once-{number}" for number in range(4)), "at-last")
    locking = replace(one_world.pipeline(), store=LockingStore(one_world.home / "archive"))
    runs = [retained(one_world, locking, limit=100, looks=2) for _ in range(3)]
    assert [told.forgotten + len(told.kept) for told in runs] == [2, 2, 2]
    assert all(told.left for told in runs)
    named = {words.partition(":")[0] for told in runs for words in told.kept}
    assert len(named) == 4, "after three runs of two looks all five had their turn"
    assert sum(told.forgotten for told in runs) == 1
    assert retained(one_world, one_world.pipeline(), limit=100).forgotten == 4


def test_where_nothing_can_be_forgotten_now_it_ends_at_once(one_world: World) -> None:
    scans = sealed_long_ago(one_world, "busy-1", "busy-2", "busy-3")
    told = retained(one_world, one_world.pipeline(), 1, Seen("a backfill is under way"))
    assert (told.forgotten, told.left, len(told.kept)) == (0, True, 1)
    assert "a backfill is under way" in told.kept[0]
    assert retained(one_world, one_world.pipeline(), limit=100).forgotten == len(scans)


def test_a_sealed_scan_whose_later_attempt_failed_is_due_once_nothing_is_under_way(
    one_world: World,
) -> None:
    (scan,) = sealed_long_ago(one_world, "failed-later")
    one_world.write(registry.settle, scan.id, ScanState.FAILED, "the vendor refused it")
    of_scan = sa.update(schema.orders).where(schema.orders.c.scan_id == scan.id)
    one_world.write(lambda tx: tx.run(of_scan.values(state="waiting")))
    assert one_world.look(retention.due, "copyleaks", 30) == []
    one_world.write(lambda tx: tx.run(of_scan.values(state="closed")))
    assert retained(one_world, one_world.pipeline(), limit=1).forgotten == 1
    assert one_world.look(registry.find, scan.key) is None


@pytest.mark.parametrize("state", [ScanState.ARCHIVED, ScanState.PARTIAL, ScanState.EXPIRED])
def test_it_says_when_it_last_ran_to_its_end(one_world: World, state: ScanState) -> None:
    (scan,) = sealed_long_ago(one_world, f"ran-{state.name.lower()}")
    one_world.write(registry.settle, scan.id, state)
    assert retained(one_world, one_world.pipeline(), limit=100).forgotten == 1
    ago = one_world.look(retention.ran_seconds_ago, "copyleaks")
    assert ago is not None
    assert 0 <= ago < 60
    assert one_world.look(retention.ran_seconds_ago, "laserfiche") is None


class LockingStore(LocalStore):
    """A store that keeps one file of some scans."""

    async def versions(self, key: str) -> AsyncIterator[StoredVersion]:
        async for found in super().versions(key):
            is_kept = "/locked-" in found.key and found.key.endswith("/pdf_report.pdf")
            yield replace(found, lock="a lock until 2040" if is_kept else "")
