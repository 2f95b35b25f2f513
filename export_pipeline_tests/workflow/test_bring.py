"""Pulling and promoting: what the vendor made comes into the store whole, once, or is explained."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export_pipeline.errors import (
    AuthenticationFailed,
    OrderRefused,
    ResultLost,
    ScanGone,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.ledger import orders, placed, quotas, reports
from export_pipeline.ledger.rows import ArtifactState, QueueClass, Scan, ScanState
from export_pipeline.storage.store import StoredObject, pieces
from export_pipeline.vendors.artifacts import Availability, PlannedArtifact
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.placement import Receipt
from export_pipeline.workflow.lease import LEASE_SECONDS
from export_pipeline.workflow.order import retry
from export_pipeline.workflow.outcome import AGAIN_SECONDS
from export_pipeline.workflow.renew import renew_sealed
from export_pipeline_tests.workflow.pulling import READY, Pulled, fault
from export_pipeline_tests.workflow.stepped import content_of


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Pulled]:
    made = Pulled(tmp_path)
    made.vendor.receipt = lambda _: Receipt(completion=READY)
    yield made
    made.ledger.close()


def one_file(home: Pulled) -> Scan:
    """A scan of which a single artifact is wanted, sent."""
    scan = home.register("essay")
    home.request(scan, kinds=["overview"])
    home.send()
    return home.scan(scan)


def test_what_the_vendor_names_and_says_of_a_file_is_kept_with_it(home: Pulled) -> None:
    scan = one_file(home)
    home.collect()
    artifact = home.artifacts(scan)["overview.json"]
    assert artifact.state == ArtifactState.VERIFIED
    assert artifact.vendor_name == "their overview.json"
    assert artifact.details is not None
    assert artifact.details["vendor"] == {"pages": 3}
    assert artifact.details["checks"]["sha256"] == "passed"


def test_a_file_that_the_store_changed_while_it_was_written_is_found_at_once(
    home: Pulled, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = home.store.put

    async def put_changed(key: str, chunks: AsyncIterable[bytes], **options: Any) -> StoredObject:
        async def changed() -> AsyncIterator[bytes]:
            async for chunk in chunks:
                yield chunk.replace(b"{", b"{ ", 1)

        return await put(key, changed(), **options)

    scan = one_file(home)
    monkeypatch.setattr(home.store, "put", put_changed)
    home.collect()
    assert "broken" in home.events(scan)


def test_what_was_pulled_by_a_process_that_died_is_not_pulled_again(home: Pulled) -> None:
    scan = one_file(home)
    artifact = home.artifacts(scan)["overview.json"]
    home.put(artifact)
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert home.stored(scan) == home.recorded(scan)


def test_a_passing_failure_is_tried_again_within_the_deadline_without_an_order(
    home: Pulled,
) -> None:
    scan = one_file(home)
    home.vendor.pulls.append(fault(VendorUnavailable, "the host is away"))
    home.collect()
    assert "not brought yet" in home.events(scan)
    home.end(home.newest(scan))
    home.now += AGAIN_SECONDS
    home.poll()
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert len(home.vendor.placed) == 1


def test_a_failure_that_never_passes_ends_at_the_deadline(home: Pulled) -> None:
    scan = one_file(home)
    order = home.newest(scan)
    home.end(order)
    home.vendor.pulls.extend([fault(VendorUnavailable, "the host is away")] * 1_000)
    assert order.deadline is not None
    while home.now < order.deadline and home.orders(scan)[0].outcome == "":
        home.collect()
        home.now += 600
        home.poll(seconds=60)
    home.collect()
    assert "the host is away" in home.orders(scan)[0].reason
    assert len(home.orders(scan)) == 2


def test_a_result_that_was_lost_is_ordered_again_as_often_as_attempts_allow(home: Pulled) -> None:
    scan = one_file(home)
    home.vendor.pulls.extend([fault(ResultLost, "the export expired")] * 3)
    for _ in range(home.settings.attempts):
        home.collect()
        home.send()
    assert len(home.vendor.placed) == home.settings.attempts
    assert home.scan(scan).state == ScanState.FAILED
    assert "the export expired" in home.scan(scan).reason


@pytest.mark.parametrize("kind", [ScanGone, OrderRefused])
def test_what_can_never_be_had_is_missing_at_once(home: Pulled, kind: type[VendorError]) -> None:
    scan = one_file(home)
    home.vendor.pulls.append(fault(kind, "there is no such file"))
    home.collect()
    assert len(home.orders(scan)) == 1
    assert home.scan(scan).state == ScanState.FAILED
    assert "there is no such file" in home.scan(scan).reason


def test_refused_credentials_let_the_account_rest_and_lose_nothing(home: Pulled) -> None:
    scan = one_file(home)
    home.vendor.pulls.append(fault(AuthenticationFailed))
    home.collect()
    rest = home.look(quotas.cooldown, "copyleaks", "default")
    assert rest.needs_person
    home.end(home.newest(scan))
    home.now = rest.until
    home.poll()
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED


def test_one_file_that_fails_keeps_no_other_back(home: Pulled) -> None:
    scan = home.register("essay")
    home.request(scan, kinds=["results"])
    home.send()
    home.vendor.pulls.append(fault(ResultLost))
    home.collect()
    states = sorted(home.states(scan).values())
    assert states.count("verified") == 1
    home.send()
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert len(home.vendor.pulled) == 2


def test_a_pull_that_breaks_off_leaves_nothing_behind(home: Pulled) -> None:
    def breaks() -> None:
        raise fault(VendorUnavailable, "it broke off")

    scan = one_file(home)
    home.vendor.pulls.append(breaks)
    home.collect()
    assert home.stored(scan) == set()
    assert "it broke off" in home.newest(scan).reason or "not brought yet" in home.events(scan)


def test_a_collector_keeps_its_order_for_as_long_as_a_file_takes(home: Pulled) -> None:
    scan = one_file(home)
    order = home.newest(scan)
    taken = home.write(placed.take_completed, "copyleaks", "one", limit=9, seconds=LEASE_SECONDS)
    assert [one.id for one in taken] == [order.id]
    home.now += LEASE_SECONDS - 1
    assert home.write(orders.renew, order, "one", seconds=LEASE_SECONDS)
    home.now += LEASE_SECONDS - 1
    assert home.collect() == 0
    assert not home.write(orders.renew, order, "another", seconds=LEASE_SECONDS)
    home.now += 1
    assert home.collect() == 1
    assert home.scan(scan).state == ScanState.ARCHIVED


def test_what_the_vendor_wrote_with_lent_credentials_is_promoted(home: Pulled) -> None:
    scan = home.register("essay")
    staged = "lent/order/overview.json"
    home.vendor.receipt = lambda _: Receipt(completion=Completion(staged={"overview.json": staged}))
    home.request(scan, kinds=["overview"])
    home.send()
    data = content_of(home.artifacts(scan)["overview.json"])
    asyncio.run(home.store.put(staged, pieces(data)))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert asyncio.run(home.store.stat(staged)) is None


def test_files_that_only_the_vendor_knows_take_the_place_of_what_was_planned(
    home: Pulled,
) -> None:
    told = (
        PlannedArtifact("results", "files/1.json", "a.json"),
        PlannedArtifact("results", "files/2.json", "a.json"),
        PlannedArtifact(
            "results", "files/3.json", availability=Availability.ABSENT, reason="it is empty"
        ),
    )
    home.vendor.receipt = lambda _: Receipt(files=told, completion=READY)
    scan = one_file(home)
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert home.states(scan) == {
        "files/1.json": "verified",
        "files/2.json": "verified",
        "files/3.json": "absent",
    }


def test_what_the_vendor_says_that_a_scan_does_not_have_is_shown_as_absent(home: Pulled) -> None:
    """Laserfiche's entries without pages stood as never materialized among Dagster's partitions."""
    lacking = PlannedArtifact("overview", "overview", "", Availability.ABSENT, "it has no pages")
    home.vendor.receipt = lambda _: Receipt(files=(lacking,), completion=READY)
    scan = one_file(home)
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    shown = home.write(reports.take, "copyleaks", "a run", limit=9, seconds=1, assets=["overview"])
    assert [(one.status, one.metadata["reason"]) for one in shown] == [
        ("absent", "it has no pages")
    ]


def test_files_told_again_at_a_later_attempt_change_nothing_that_arrived(home: Pulled) -> None:
    told = (
        PlannedArtifact("results", "files/1.json", "a"),
        PlannedArtifact("results", "files/2.json", "b"),
    )
    home.vendor.receipt = lambda _: Receipt(files=told, completion=READY)
    scan = one_file(home)
    home.vendor.pulls.append(fault(ResultLost))
    home.collect()
    arrived = [one for one in home.artifacts(scan).values() if one.state == ArtifactState.VERIFIED]
    assert len(arrived) == 1
    home.send()
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    again = home.artifacts(scan)[arrived[0].name]
    assert replace(again, order_id=None) == replace(arrived[0], order_id=None)
    assert len(home.vendor.pulled) == 2


TWO_FILES = (
    PlannedArtifact("overview", "files/1.json"),
    PlannedArtifact("overview", "files/2.json"),
)
"""What the vendor says that `overview.json` turned out to be."""


def lose_all(home: Pulled, files: int) -> None:
    """Let every pull of these files fail until the attempts are spent."""
    home.vendor.pulls.extend([fault(ResultLost)] * files * home.settings.attempts)
    for _ in range(home.settings.attempts):
        home.collect()
        home.send()


def test_what_the_vendor_named_otherwise_is_not_planned_again_beside_it(home: Pulled) -> None:
    """A second request ordered the stand-in of files that an open order was bringing."""
    home.vendor.receipt = lambda _: Receipt(files=TWO_FILES)
    scan = one_file(home)
    home.request(scan, kinds=["overview"])
    assert len(home.orders(scan)) == 1
    assert set(home.states(scan)) == {"files/1.json", "files/2.json"}


def test_a_retry_of_files_that_the_vendor_named_orders_just_these(home: Pulled) -> None:
    home.vendor.receipt = lambda _: Receipt(files=TWO_FILES, completion=READY)
    scan = one_file(home)
    lose_all(home, len(TWO_FILES))
    assert home.scan(scan).state == ScanState.FAILED
    home.write(retry, home.vendor, home.scan(scan), queue_class=QueueClass.HAND, kinds=["overview"])
    assert home.files(home.newest(scan)) == ["files/1.json", "files/2.json"]
    home.send()
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert set(home.states(scan).values()) == {"verified"}


def test_a_new_generation_orders_the_named_file_that_is_missing_and_not_its_stand_in(
    home: Pulled,
) -> None:
    home.vendor.receipt = lambda _: Receipt(files=TWO_FILES, completion=READY)
    scan = one_file(home)
    home.vendor.pulls.append(None)
    lose_all(home, 1)
    assert home.scan(scan).state == ScanState.PARTIAL
    home.run(lambda one: renew_sealed(one, home.scan(scan), QueueClass.HAND))
    ordered = set(home.files(home.newest(scan)))
    assert "files/2.json" in ordered
    assert not ordered & {"files/1.json", "overview.json"}
