"""Registering from the inbox, and queuing what nobody has asked for."""

import json
from typing import Any

import pytest

from export_pipeline.errors import ScanGone, UnknownScan
from export_pipeline.ledger import inbox, registry, reports
from export_pipeline.ledger.rows import QueueClass, Scan, ScanState
from export_pipeline.scans import ScanKey
from export_pipeline.workflow.register import queue_registered, read_registrations
from export_pipeline_tests.workflow.stepped import Stepped

HOSTILE = ('a/../b%2f;:"<x>', "../../etc/passwd", "%2e%2e/", "a|b'c`d", "...", "CON", "=61")


def completed(name: str, *results: str) -> dict[str, Any]:
    found = [{"id": one, "title": one, "introduction": "", "matchedWords": 1} for one in results]
    return {
        "status": 0,
        "scannedDocument": {"scanId": name, "totalWords": 9, "totalExcluded": 0, "credits": 1},
        "results": {"internet": found, "database": [], "batch": [], "repositories": []},
    }


def post(home: Stepped, body: object, status: str = "completed", account: str = "default") -> None:
    home.write(
        inbox.receive,
        vendor="copyleaks",
        account=account,
        topic=inbox.SCANS,
        subject=status,
        headers={},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
    )


def read(home: Stepped, **changes: Any) -> list[Scan]:
    settings = home.settings.model_copy(update=changes)
    return home.write(read_registrations, home.vendor, settings, 100)


def test_a_completed_webhook_registers_the_scan_with_its_results_and_orders_it(
    home: Stepped,
) -> None:
    post(home, completed("essay", "r1", "r2"))
    [scan] = read(home)
    assert scan.details["result_ids"] == ["r1", "r2"]
    [order] = home.orders(scan)
    assert order.queue_class == QueueClass.WEBHOOK
    assert {"results/r1.json", "results/r2.json"} <= set(home.names(order))


def test_a_webhook_that_comes_twice_orders_once(home: Stepped) -> None:
    post(home, completed("essay", "r1"))
    post(home, completed("essay", "r1"))
    scan = read(home)[0]
    assert len(home.orders(scan)) == 1
    post(home, completed("essay", "r1"))
    read(home)
    assert len(home.orders(scan)) == 1


def test_the_settings_can_leave_ordering_to_the_night(home: Stepped) -> None:
    post(home, completed("essay", "r1"))
    [scan] = read(home, order_on_webhook=False)
    assert scan.state == ScanState.REGISTERED
    [queued] = home.write(queue_registered, home.vendor, QueueClass.NIGHTLY, 10)
    assert queued.id == scan.id
    assert [order.queue_class for order in home.orders(scan)] == [QueueClass.NIGHTLY]
    assert home.write(queue_registered, home.vendor, QueueClass.NIGHTLY, 10) == []


def test_what_expires_soonest_is_queued_first(home: Stepped) -> None:
    home.register("never")
    home.register("late", expires_at=home.now + 9)
    home.register("soon", expires_at=home.now + 1)
    queued = home.write(queue_registered, home.vendor, QueueClass.BACKLOG, 2)
    assert [scan.scan for scan in queued] == ["soon", "late"]


def test_a_body_that_cannot_be_read_is_set_aside_and_holds_up_no_other(home: Stepped) -> None:
    post(home, b"\xff not JSON")
    post(home, {"scannedDocument": {"scanId": ["no", "id"]}})
    post(home, completed("essay", "r1"))
    assert [scan.scan for scan in read(home)] == ["essay"]
    assert home.look(inbox.count_rejected) == 2


def test_a_scan_that_failed_at_the_vendor_is_shown_as_failed_and_not_ordered(
    home: Stepped,
) -> None:
    error = {"code": 1, "message": "The file is empty."}
    post(home, {"scannedDocument": {"scanId": "essay"}, "error": error}, status="error")
    [scan] = read(home)
    scan = home.scan(scan)
    assert scan.state == ScanState.FAILED
    assert "The file is empty." in scan.reason
    assert home.orders(scan) == []
    [told] = home.write(reports.take, "copyleaks", "me", limit=9, seconds=60)
    assert (told.scan_id, told.asset, told.status) == (scan.id, "bag", reports.FAILED)
    assert "The file is empty." in told.metadata["reason"]


def test_a_new_webhook_puts_an_expired_scan_back_and_orders_it(home: Stepped) -> None:
    post(home, completed("essay", "r1"))
    scan = expired(home, read(home)[0])
    post(home, completed("essay", "r1"))
    read(home)
    assert home.newest(scan).queue_class == QueueClass.WEBHOOK
    assert "put back" in home.events(scan)
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED


def test_neither_an_import_nor_a_failure_puts_an_expired_scan_back(home: Stepped) -> None:
    post(home, completed("essay", "r1"))
    scan = expired(home, read(home)[0])
    post(home, completed("essay", "r1"))
    read(home, order_on_webhook=False)
    error = {"code": 1, "message": "The file is empty."}
    post(home, {"scannedDocument": {"scanId": "essay"}, "error": error}, status="error")
    read(home)
    assert home.scan(scan).state == ScanState.EXPIRED


def expired(home: Stepped, scan: Scan) -> Scan:
    gone = ScanGone("not found", vendor="copyleaks", account="default", scan=scan.scan)
    home.vendor.answers.append(gone)
    home.send()
    assert home.scan(scan).state == ScanState.EXPIRED
    return home.scan(scan)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_scan_id_is_archived_under_one_folder_of_its_own(
    home: Stepped, name: str
) -> None:
    post(home, completed(name, "r1", "../r2", "a/b"))
    [scan] = read(home)
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    folder = home.folder(scan)
    assert folder.resolve().parent.parent == (home.home / "archive/copyleaks/default").resolve()
    assert home.look(registry.get, ScanKey("copyleaks", "default", name)).id == scan.id
    assert home.scan(scan).state in registry.SETTLED
    assert home.stored(scan) == home.recorded(scan)
    assert all(one.resolve().is_relative_to(folder.resolve()) for one in folder.rglob("*"))


def test_accounts_keep_scans_of_one_name_apart(home: Stepped) -> None:
    post(home, completed("essay", "r1"))
    post(home, completed("essay", "r2"), account="second")
    first, second = read(home)
    assert first.id != second.id
    assert home.folder(first) != home.folder(second)
    with pytest.raises(UnknownScan):
        home.look(registry.get, ScanKey("copyleaks", "third", "essay"))
