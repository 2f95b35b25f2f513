"""Collecting: the store's word counts, whatever the vendor says and whoever else is at it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from export_pipeline.errors import StoreError, StoreUnavailable
from export_pipeline.ledger import inbox, placed
from export_pipeline.ledger.rows import OrderState, Scan, ScanState
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject, UploadTarget
from export_pipeline.workflow.collect import collect
from export_pipeline.workflow.completion import note_letters, read_completions, read_letters
from export_pipeline.workflow.lease import LEASE_SECONDS
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline_tests.workflow.stepped import SINGLES, Stepped

FILES = len(SINGLES) + 2


class StoreThat(LocalStore):
    """A store on which something happens at the first look at an artifact."""

    def __init__(self, home: Stepped, happens: Callable[[], None]) -> None:
        super().__init__(home.home / "archive")
        self._happens: Callable[[], None] | None = happens

    async def open(self, key: str, *, offset: int = 0) -> AsyncIterator[bytes]:
        async for piece in super().open(key, offset=offset):
            yield piece
        if self._happens is not None:
            happens, self._happens = self._happens, None
            await asyncio.to_thread(happens)


def fail() -> None:
    raise StoreUnavailable("the store does not answer")


def without(home: Stepped, scan: Scan, *left_out: str) -> set[str]:
    return set(home.names(home.newest(scan))) - set(left_out)


def test_what_came_is_verified_and_sealed(home: Stepped) -> None:
    scan = home.archived("essay")
    assert scan.state == ScanState.ARCHIVED
    assert home.stored(scan) == home.recorded(scan)
    assert len(home.stored(scan)) == FILES


def test_unhealthy_and_not_there_is_ordered_alone_at_the_second_attempt(home: Stepped) -> None:
    scan = home.ordered("essay")
    home.upload(home.newest(scan), without(home, scan, "overview.json"))
    home.complete(home.newest(scan), unhealthy=["overview.json"])
    home.collect()
    home.send()
    assert home.asked(home.vendor.placed[-1]) == ["overview.json"]
    assert home.newest(scan).attempt == 2
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED


def test_unhealthy_but_there_is_not_ordered_again(home: Stepped) -> None:
    """A vendor that lost our answer repeats its upload, is refused, and reports a failure."""
    scan = home.ordered("essay")
    home.upload(home.newest(scan))
    home.complete(home.newest(scan), unhealthy=home.names(home.newest(scan)))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert len(home.orders(scan)) == 1


def test_healthy_but_not_there_is_ordered_again(home: Stepped) -> None:
    scan = home.ordered("essay")
    home.complete(home.newest(scan))
    home.collect()
    assert len(home.names(home.newest(scan))) == FILES
    assert home.newest(scan).attempt == 2


def test_what_never_comes_is_missing_after_the_last_attempt(home: Stepped) -> None:
    scan = home.ordered("essay")
    for _ in range(home.settings.attempts):
        home.upload(home.newest(scan), without(home, scan, "overview.json"))
        home.complete(home.newest(scan), unhealthy=["overview.json"])
        home.collect()
        home.send()
    assert home.scan(scan).state == ScanState.PARTIAL
    assert "overview.json" in home.scan(scan).reason
    info = (home.folder(scan) / "bag-info.txt").read_text()
    assert "Export-Missing: overview.json" in info
    assert len(home.vendor.placed) == home.settings.attempts


def test_a_scan_of_which_nothing_comes_fails_with_the_reason(home: Stepped) -> None:
    scan = home.ordered("essay")
    for _ in range(home.settings.attempts):
        home.complete(home.newest(scan), unhealthy=home.names(home.newest(scan)))
        home.collect()
        home.send()
    assert home.scan(scan).state == ScanState.FAILED
    assert "reported a failed delivery at attempt 3" in home.scan(scan).reason


def test_a_completion_that_comes_twice_changes_nothing(home: Stepped) -> None:
    scan = home.archived("essay")
    [order] = home.orders(scan)
    home.complete(order)
    home.collect()
    assert home.orders(scan) == [order]
    assert home.events(scan)[-1] == "told again"


def test_a_completion_twice_in_one_round_is_one_completion(home: Stepped) -> None:
    scan = home.ordered("essay")
    order = home.newest(scan)
    home.upload(order)
    home.complete(order)
    home.complete(order)
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert home.events(scan).count("completed") == 1


class SigningStore(LocalStore):
    """A store to which vendors write by themselves, and which has checksums of its own."""

    capabilities = replace(LocalStore.capabilities, signs_uploads=True, checksums=True)
    signed = 0
    has_ended = False

    def sign_upload(self, key: str, *, seconds: float, typed: bool = True) -> UploadTarget:
        if self.has_ended:
            raise StoreError(f"the credential ends within {seconds:.0f} s")
        self.signed += 1
        return UploadTarget("PUT", f"https://store.example/{key}?signature={self.signed}")

    async def stat(self, key: str) -> StoredObject | None:
        found = await super().stat(key)
        return found and replace(found, checksum=f"sha256:{key.rpartition('/')[2]}")


def into_store(home: Stepped) -> tuple[SigningStore, Scan]:
    """An order whose artifacts go straight into a store that signs."""
    home.store = store = SigningStore(home.home / "archive")
    return store, home.ordered("essay")


def complete_as_ordered(home: Stepped, scan: Scan, unhealthy: str) -> None:
    """Post the completion with the URLs of the order itself."""
    order = home.newest(scan)
    tasks = [
        {"endpoint": target.url, "isHealthy": name != unhealthy, "httpStatusCode": 201}
        for name, target in home.vendor.placed[-1].targets.items()
    ]
    body = {"completed": True, "developerPayload": order.id, "tasks": tasks}
    home.write(
        inbox.receive,
        vendor="copyleaks",
        account=order.account,
        topic=inbox.ORDERS,
        subject=order.id,
        headers={},
        body=json.dumps(body).encode(),
    )


def test_what_is_said_of_deliveries_into_the_store_itself_is_understood(home: Stepped) -> None:
    """Only the receiver's addresses were compared, so that no delivery was anybody's."""
    _, scan = into_store(home)
    home.upload(home.newest(scan), without(home, scan, "overview.json"))
    complete_as_ordered(home, scan, unhealthy="overview.json")
    home.collect()
    [told] = [one for one in home.history(scan) if one.event == "completed"]
    assert told.detail == {"unhealthy": ["overview.json"]}
    assert "reported a failed delivery" in home.orders(scan)[0].reason


def test_a_completion_counts_though_the_store_signs_nothing_more(home: Stepped) -> None:
    store, scan = into_store(home)
    home.upload(home.newest(scan))
    complete_as_ordered(home, scan, unhealthy="")
    store.has_ended = True
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED


def test_the_stores_own_checksum_is_recorded_with_what_was_verified(home: Stepped) -> None:
    _, scan = into_store(home)
    home.deliver(home.newest(scan))
    home.collect()
    assert home.artifacts(scan)["overview.json"].checksum == "sha256:overview.json"
    provenance = (home.folder(scan) / "provenance.json").read_text()
    assert '"store_checksum": "sha256:overview.json"' in provenance


def test_a_completion_of_no_order_is_set_aside(home: Stepped) -> None:
    home.write(
        inbox.receive,
        vendor="copyleaks",
        account="default",
        topic=inbox.ORDERS,
        subject="nobody",
        headers={},
        body=b"{}",
    )
    assert home.collect() == 0
    assert home.look(inbox.count_rejected) == 1


def test_a_completion_that_cannot_be_read_leaves_the_order_waiting(home: Stepped) -> None:
    scan = home.ordered("essay")
    home.write(
        inbox.receive,
        vendor="copyleaks",
        account="default",
        topic=inbox.ORDERS,
        subject=home.newest(scan).id,
        headers={},
        body=b"no JSON",
    )
    home.collect()
    assert home.look(inbox.count_rejected) == 1
    assert home.newest(scan).state == OrderState.WAITING


def test_a_completion_while_the_collector_looks_makes_it_look_once_more(home: Stepped) -> None:
    """What it saw missing may have come before the completion that it did not know of."""
    scan = home.ordered("essay")
    order = home.newest(scan)
    home.upload(order, {"overview.json"})
    home.now += home.settings.order_deadline
    rest = without(home, scan, "overview.json")

    def the_rest_comes() -> None:
        home.upload(order, rest)
        home.complete(order)
        home.write(note_letters, home.look(read_letters, home.pipeline(), 10))

    home.reconcile(store=StoreThat(home, the_rest_comes))
    assert [one.state for one in home.orders(scan)] == [OrderState.COMPLETED]
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED


def test_a_slow_collector_that_was_overtaken_settles_nothing_twice(home: Stepped) -> None:
    scan = home.ordered("essay")
    order = home.newest(scan)
    home.deliver(order)

    def another_is_faster() -> None:
        home.now += LEASE_SECONDS
        assert home.collect() == 1

    assert home.collect(store=StoreThat(home, another_is_faster)) == 1
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert home.events(scan).count("closed: delivered") == 1
    assert home.events(scan).count("sealed") == 1


def test_an_order_under_a_lease_is_left_to_who_holds_it(home: Stepped) -> None:
    scan = home.ordered("essay")
    home.deliver(home.newest(scan))
    home.run(read_completions)
    how = {"limit": 9, "seconds": LEASE_SECONDS}
    home.write(placed.take_completed, "copyleaks", "another", **how)
    assert home.collect() == 0
    home.now += LEASE_SECONDS
    assert home.collect() == 1


def test_a_store_that_fails_loses_nothing_and_the_next_round_finishes(home: Stepped) -> None:
    scan = home.ordered("essay")
    home.deliver(home.newest(scan))
    with pytest.raises(StoreUnavailable):
        home.collect(store=StoreThat(home, fail))
    assert home.newest(scan).state == OrderState.COMPLETED
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED


def test_a_store_that_fails_at_one_scan_keeps_no_other_from_being_collected(
    home: Stepped,
) -> None:
    scans = [home.ordered(f"essay-{number}") for number in range(3)]
    for scan in scans:
        home.deliver(home.newest(scan))
    with pytest.raises(StoreUnavailable):
        home.collect(store=StoreThat(home, fail))
    states = sorted(home.scan(scan).state for scan in scans)
    assert states == [ScanState.ARCHIVED, ScanState.ARCHIVED, ScanState.ORDERED]


def test_only_the_scans_that_are_asked_for_are_collected(home: Stepped) -> None:
    one, other = home.ordered("one"), home.ordered("other")
    for scan in (one, other):
        home.deliver(home.newest(scan))

    async def work(pipeline: Pipeline) -> None:
        await read_completions(pipeline)
        await collect(pipeline, limit=9, scan_ids=[one.id])

    home.run(work)
    assert home.scan(one).state == ScanState.ARCHIVED
    assert home.scan(other).state == ScanState.ORDERED


def test_the_history_tells_the_whole_story(home: Stepped) -> None:
    scan = home.ordered("essay")
    home.upload(home.newest(scan), without(home, scan, "overview.json"))
    home.complete(home.newest(scan), unhealthy=["overview.json"])
    home.collect()
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    told = [(one.event, one.detail.get("attempt")) for one in home.history(scan)]
    assert told == [
        ("registered", None),
        ("queued", 1),
        ("accepted", None),
        ("completed", None),
        ("closed: incomplete", None),
        ("queued", 2),
        ("accepted", None),
        ("completed", None),
        ("closed: delivered", None),
        ("frozen", None),
        ("sealed", None),
    ]
