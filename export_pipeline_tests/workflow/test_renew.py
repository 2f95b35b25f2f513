"""A new generation where the old one cannot be completed as it is."""

from hashlib import sha256

import bagit
import pytest

from export_pipeline.ledger import artifacts, registry
from export_pipeline.ledger.rows import Order, QueueClass, Scan, ScanState
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject
from export_pipeline.workflow.order import Requested, retry
from export_pipeline.workflow.renew import renew_sealed
from export_pipeline_tests.workflow.stepped import SINGLES, Stepped

BROKEN = "overview.json"


def broken(home: Stepped, **parts: object) -> Scan:
    """A scan whose overview came broken."""
    scan = home.ordered("essay")
    bring_broken(home, scan)
    home.collect(**parts)
    return home.scan(scan)


def bring_broken(home: Stepped, scan: Scan) -> None:
    order = home.newest(scan)
    home.upload(order, set(home.names(order)) - {BROKEN})
    home.upload(order, {BROKEN}, content=b'{"cut')
    home.complete(order)


def renewed(home: Stepped, scan: Scan) -> bool:
    return home.run(lambda pipeline: renew_sealed(pipeline, home.scan(scan), QueueClass.HAND))


def test_only_what_is_broken_is_ordered_and_the_rest_is_copied(home: Stepped) -> None:
    scan = broken(home)
    assert scan.generation == 2
    home.send()
    assert home.asked(home.vendor.placed[-1]) == [BROKEN]
    assert home.newest(scan).attempt == 2
    assert len(home.stored(scan)) == len(SINGLES) + 1


def test_the_folder_that_was_given_up_holds_nothing_more(home: Stepped) -> None:
    scan = broken(home)
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert home.stored(scan) == home.recorded(scan)
    assert {one[0] for one in home.stored(scan)} == {"2"}
    bagit.Bag(str(home.folder(scan))).validate()


def test_bytes_that_are_always_broken_are_missing_when_the_attempts_are_spent(
    home: Stepped,
) -> None:
    scan = broken(home)
    for _ in range(home.settings.attempts - 1):
        home.send()
        bring_broken(home, scan)
        home.collect()
    home.send()
    assert len(home.vendor.placed) == home.settings.attempts
    assert home.scan(scan).state == ScanState.PARTIAL
    assert home.scan(scan).generation == home.settings.attempts
    assert "arrived broken at every attempt" in home.scan(scan).reason
    assert f"Export-Missing: {BROKEN}" in (home.folder(scan) / "bag-info.txt").read_text()
    assert home.stored(scan) == home.recorded(scan)
    bagit.Bag(str(home.folder(scan))).validate()


def test_a_retry_after_three_broken_attempts_takes_good_bytes(home: Stepped) -> None:
    """The facts of the broken bytes, which were deleted, made good ones count as broken too."""
    scan = home.register("essay")
    home.request(scan)
    for _ in range(home.settings.attempts):
        home.send()
        bring_noted(home, home.newest(scan), b'{"cut')
    failed = home.scan(scan)
    assert failed.state == ScanState.FAILED
    assert home.write(retry, home.vendor, failed, queue_class=QueueClass.HAND) == Requested.QUEUED
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert home.stored(scan) == home.recorded(scan)
    bagit.Bag(str(home.folder(scan))).validate()


def bring_noted(home: Stepped, order: Order, content: bytes) -> None:
    """Bring these bytes for every artifact, noted with size and digest as the receiver does."""
    home.upload(order, content=content)
    digest = sha256(content).hexdigest()
    for name in home.names(order):
        home.write(artifacts.delivered, order.id, name, size=len(content), sha256=digest)
    home.complete(order)
    home.collect()


def test_a_broken_subset_is_renewed_though_nobody_wants_the_bag(home: Stepped) -> None:
    """It stayed neither settled nor ordered until somebody asked for the whole scan."""
    scan = home.register("essay")
    home.request(scan, kinds={"overview"}, wants_bag=False)
    home.send()
    bring_broken(home, scan)
    home.collect()
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    assert home.states(scan) == {BROKEN: "verified"}
    assert home.generation(scan).state == "open"


class Killed(Exception):
    """The process ends here."""


class DyingStore(LocalStore):
    """A store whose process dies after so many copies and deletions."""

    def __init__(self, home: Stepped, changes: int) -> None:
        super().__init__(home.home / "archive")
        self._left = changes

    async def copy(self, source: str, target: str) -> StoredObject:
        done = await super().copy(source, target)
        self._count()
        return done

    async def delete(self, key: str) -> None:
        await super().delete(key)
        self._count()

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise Killed


@pytest.mark.parametrize("changes", range(1, 2 * (len(SINGLES) + 2)))
def test_a_renewal_that_died_anywhere_is_finished(home: Stepped, changes: int) -> None:
    with pytest.raises(Killed):
        broken(home, store=DyingStore(home, changes))
    home.reconcile()
    home.send()
    [scan] = home.look(registry.by_ids, [1])
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert home.stored(scan) == home.recorded(scan)
    assert len(home.stored(scan)) == len(SINGLES) + 2
    assert [home.asked(one) for one in home.vendor.placed[1:]] == [[BROKEN]]


def test_imported_ids_bring_the_results_into_the_next_generation(home: Stepped) -> None:
    scan = home.archived("essay", results=None)
    assert scan.state == ScanState.PARTIAL
    home.write(registry.register, scan.key, source="import", details={"result_ids": ["r1", "r2"]})
    assert renewed(home, scan)
    home.send()
    assert home.asked(home.vendor.placed[-1]) == ["results/r1.json", "results/r2.json"]
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert home.scan(scan).generation == 2
    assert {one[0] for one in home.stored(scan)} == {"1", "2"}
    bagit.Bag(str(home.folder(scan, 1))).validate()
    bagit.Bag(str(home.folder(scan, 2))).validate()


def test_a_partial_scan_orders_again_only_what_was_missing(home: Stepped) -> None:
    scan = home.ordered("essay")
    for _ in range(home.settings.attempts):
        order = home.newest(scan)
        home.upload(order, set(home.names(order)) - {BROKEN})
        home.complete(order, unhealthy=[BROKEN])
        home.collect()
        home.send()
    assert renewed(home, scan)
    home.send()
    assert home.asked(home.vendor.placed[-1]) == [BROKEN]
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED


def test_an_archived_scan_is_not_renewed(home: Stepped) -> None:
    assert not renewed(home, home.archived("essay"))


def test_without_the_ids_there_is_nothing_to_renew(home: Stepped) -> None:
    """Each try made one more generation with the same in it."""
    scan = home.archived("essay", results=None)
    assert not renewed(home, scan)
    assert home.scan(scan).generation == 1


def test_a_scan_under_way_is_not_renewed(home: Stepped) -> None:
    assert not renewed(home, home.ordered("essay"))
