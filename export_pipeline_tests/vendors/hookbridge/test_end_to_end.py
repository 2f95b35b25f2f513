"""HookBridge through the whole workflow, on a clock that vendor and ledger share."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from export_pipeline.ledger.rows import Scan, ScanState
from export_pipeline.sandbox import Sandbox, SteppedClock
from export_pipeline.storage.local import LocalStore
from export_pipeline.vendors.hookbridge.exports import HookBridge
from export_pipeline.vendors.hookbridge.importing import read_line
from export_pipeline.vendors.hookbridge.windows import windows
from export_pipeline_tests.vendors.bench import connected
from export_pipeline_tests.vendors.home import Home
from export_pipeline_tests.vendors.hookbridge.bench import HookBridgeBench

DAY_SECONDS = 24 * 3600
WORK_SECONDS = 30


class HookBridgeHome(HookBridgeBench, Home[HookBridge]):
    """The bench with an archive on disk."""

    read_line = read_line

    def __init__(self, home: Path, sandbox: Sandbox, clock: SteppedClock) -> None:
        super().__init__(home, sandbox, clock)
        self.store = LocalStore(home / "archive")

    def end(self) -> None:
        self.clock.advance(WORK_SECONDS)

    def archived(self, scan: Scan) -> bytes:
        return (self.bag(scan) / "data" / "export.csv").read_bytes()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[HookBridgeHome]:
    with connected(HookBridgeHome, tmp_path) as made:
        yield made


def test_days_and_an_export_made_elsewhere_are_archived_as_the_vendor_has_them(
    home: HookBridgeHome,
) -> None:
    days = [{"scan": one.scan} for one in windows(date(2023, 10, 30), date(2023, 11, 2))]
    export_id = home.made(direction="inbound")
    scans = home.settle(*days, {"scan": export_id})
    assert {one.state for one in scans} == {ScanState.ARCHIVED}
    assert [scan for scan, _ in home.arrived()] == [day["scan"] for day in days]
    for scan in scans:
        body = home.archived(scan)
        assert body.startswith(b"message_id,")
        assert body.count(b"\r\n") > 24
    assert b",inbound," in home.archived(scans[-1])


def test_an_export_that_expired_before_it_was_collected_is_ordered_again(
    home: HookBridgeHome,
) -> None:
    ages = iter([8 * DAY_SECONDS])
    home.between = lambda: home.clock.advance(next(ages, 0))
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert scan.state == ScanState.ARCHIVED
    assert len(home.arrived()) == home.orders(scan) == 2
    assert "the export expired before its file was read" in home.history(scan)


def test_an_export_that_expires_each_time_is_ordered_3_times_and_no_more(
    home: HookBridgeHome,
) -> None:
    home.between = lambda: home.clock.advance(8 * DAY_SECONDS)
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert scan.state == ScanState.FAILED
    assert len(home.arrived()) == 3
    assert "expired" in scan.reason


@pytest.mark.parametrize(
    ("trait", "reason"),
    [
        ("fewer_rows", "23 rows came and the vendor says 24"),
        ("fewer_bytes", "bytes and should have"),
        ("fails", "The export could not be written"),
    ],
)
def test_what_is_never_as_it_is_said_to_be_fails_after_3_orders_with_the_reason(
    home: HookBridgeHome, trait: str, reason: str
) -> None:
    home.faults(create=[trait] * 5)
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert scan.state == ScanState.FAILED
    assert reason in scan.reason
    assert len(home.arrived()) == 3


@pytest.mark.parametrize("trait", ["fewer_rows", "fewer_bytes", "fails"])
def test_what_is_as_it_is_said_to_be_at_the_second_order_is_archived(
    home: HookBridgeHome, trait: str
) -> None:
    home.faults(create=[trait])
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert scan.state == ScanState.ARCHIVED
    assert home.orders(scan) == 2


def test_a_table_with_a_flaw_is_kept_as_the_vendor_has_it_and_the_flaw_is_told(
    home: HookBridgeHome,
) -> None:
    home.faults(create=["no_csv"])
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert (scan.state, scan.generation, home.orders(scan)) == (ScanState.ARCHIVED, 1, 1)
    assert "kept as it came" in home.history(scan)
    assert "row 1 has 8 fields and the header 7" in home.history(scan)


def test_an_export_that_never_ends_is_given_up_at_its_deadlines(home: HookBridgeHome) -> None:
    home.faults(create=["never_ends"] * 3)
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert scan.state == ScanState.FAILED
    assert home.orders(scan) == 3
    assert "deadline" in scan.reason


def test_a_creation_whose_answer_got_lost_is_not_made_twice(home: HookBridgeHome) -> None:
    home.faults(create=["drop"])
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert scan.state == ScanState.ARCHIVED
    assert len(home.arrived()) == home.orders(scan) == 1


@pytest.mark.parametrize("operation", ["create", "get", "download", "file"])
@pytest.mark.parametrize("fault", ["429", "503"])
def test_what_passes_costs_no_order(home: HookBridgeHome, operation: str, fault: str) -> None:
    home.faults(**{operation: [fault] * 2})
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert scan.state == ScanState.ARCHIVED
    assert len(home.arrived()) == home.orders(scan) == 1


def test_an_export_that_is_gone_fails_at_once_and_says_what_to_do(home: HookBridgeHome) -> None:
    (scan,) = home.settle({"scan": "01935abc-def0-7123-8567-890abcdef012"})
    assert scan.state == ScanState.EXPIRED
    assert "its window can be registered in its place" in scan.reason
    assert home.stats()["calls"] == {"get": 1}


@pytest.mark.parametrize("is_asked", [True, False])
def test_what_is_archived_is_deleted_at_the_vendor_where_asked(
    home: HookBridgeHome, is_asked: bool
) -> None:
    home.vendor = home.make_vendor(EXPORT_HOOKBRIDGE_DELETE=str(int(is_asked)))
    export_id = home.made()
    scans = home.settle({"scan": "2023-11-10"}, {"scan": export_id})
    assert {one.state for one in scans} == {ScanState.ARCHIVED}
    ((_, created),) = home.arrived()
    assert sorted(home.stats()["deleted"]) == (sorted([created, export_id]) if is_asked else [])


def test_no_secret_is_in_the_archive_or_the_ledger(home: HookBridgeHome, tmp_path: Path) -> None:
    home.faults(file=["503"], get=["429"], download=["503"])
    home.settle({"scan": "2023-11-10"})
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not [secret for secret in home.secrets if secret.encode() in kept]
