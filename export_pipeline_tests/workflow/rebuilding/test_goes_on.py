"""A rebuilt ledger is one to go on with: scans are found, ordered again and shown."""

import sqlalchemy as sa

from export_pipeline.ledger import schema, summary
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import QueueClass, ScanState
from export_pipeline.workflow.link import find_sealed
from export_pipeline.workflow.order import Requested, request
from export_pipeline_tests.workflow.rebuilding.homes import HOSTILE, again, partial, renewed
from export_pipeline_tests.workflow.stepped import SINGLES, Stepped
from export_pipeline_tests.workflow.test_renew import BROKEN


def rehomed(home: Stepped, empty: Ledger) -> Stepped:
    """The same home on its new ledger."""
    again(home, empty)
    return Rehomed(home, empty)


class Rehomed(Stepped):
    """A home whose ledger was made anew."""

    def __init__(self, home: Stepped, ledger: Ledger) -> None:
        self.__dict__ |= vars(home)
        self.ledger = ledger
        self.vendor = self.make_vendor(self.settings, ledger)


def test_a_partial_scan_goes_on_in_a_new_generation_with_only_what_is_missing(
    home: Stepped, empty: Ledger
) -> None:
    known = partial(home, HOSTILE[0])
    new = rehomed(home, empty)
    [scan] = new.look(summary.find_scans)
    assert scan.details == known.details
    renewed(new, scan)
    assert new.asked(new.vendor.placed[-1]) == [BROKEN]
    assert new.stored(scan) >= new.recorded(scan)


def test_an_archived_scan_is_ordered_once_more_from_what_its_vendor_said(
    home: Stepped, empty: Ledger
) -> None:
    home.archived("essay", results=("r1", "r2"))
    new = rehomed(home, empty)
    [scan] = new.look(summary.find_scans)
    wanted = new.write(request, new.vendor, scan, queue_class=QueueClass.HAND, new_generation=True)
    assert wanted == Requested.QUEUED
    new.send()
    new.deliver(new.newest(scan))
    new.collect()
    assert new.scan(scan).state == ScanState.ARCHIVED
    assert {"2/results/r1.json", "2/results/r2.json"} <= new.stored(scan)


def test_the_files_of_a_rebuilt_scan_are_found(home: Stepped, empty: Ledger) -> None:
    known = home.archived("essay")
    new = rehomed(home, empty)
    [scan] = new.look(summary.find_scans)
    generation, files = new.look(find_sealed, scan)
    assert generation.number == known.generation
    assert [one.name for one in files] == sorted(home.artifacts(known))


def shown(ledger: Ledger) -> list[tuple[str, str]]:
    query = sa.select(schema.reports.c.asset, schema.reports.c.status).order_by("id")
    with ledger.read() as tx:
        return [tuple(row) for row in tx.all(query)]


def test_dagster_is_told_only_if_asked_and_of_no_more_scans_than_asked(
    home: Stepped, empty: Ledger
) -> None:
    partial(home, "a")
    home.archived("b")
    assert again(home, empty, show=1).shown == 1
    told = dict(shown(empty))
    assert told == {
        "order": "closed",
        **dict.fromkeys((*SINGLES, "results"), "verified"),
        "overview": "failed",
        "bag": "partial",
    }


def test_dagster_is_told_nothing_by_itself(home: Stepped, empty: Ledger) -> None:
    home.archived("a")
    assert again(home, empty).shown == 0
    assert shown(empty) == []
