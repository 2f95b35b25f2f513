"""Archived reports become conversions: each once, in bounds, and anew if the report is another."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from export_pipeline.archive.layout import bag_prefix, payload_key
from export_pipeline.ledger import artifacts, generations, registry
from export_pipeline.ledger.orders import of_scan
from export_pipeline.ledger.rows import Scan, ScanState
from export_pipeline.sandbox.pdf import pdf
from export_pipeline.scans import ScanKey
from export_pipeline.settings import Settings
from export_pipeline.vendors.cloudconvert.exports import CloudConvert
from export_pipeline.workflow.conversions import SETTLED_SECONDS, convert_sealed
from export_pipeline_tests.workflow.stepped import Stepped, stepped

HOSTILE = 'a/../b%2f;:"<x>'


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Stepped]:
    with stepped(tmp_path) as made:
        yield made


def convert(home: Stepped, limit: int = 100, *, later: float = SETTLED_SECONDS) -> int:
    home.now += later
    settings = Settings.from_env({"EXPORT_CLOUDCONVERT_KEY": "k"}, home.settings.home)
    vendor = CloudConvert(settings, home.ledger)
    found: int = home.write(convert_sealed, vendor, limit=limit, secret=None)
    return found


def conversion(home: Stepped, name: str) -> Scan | None:
    found: Scan | None = home.look(registry.find, ScanKey("cloudconvert", "default", name))
    return found


def source(home: Stepped, name: str) -> dict[str, Any]:
    scan = conversion(home, name)
    assert scan is not None
    return dict(scan.details["source"])


def archive_anew(home: Stepped, scan: Scan, content: bytes | None) -> None:
    """Archive the scan's next generation, with other bytes as its report if they are given."""
    home.request(scan, new_generation=True)
    home.send()
    order = home.newest(scan)
    report = home.artifacts(scan)["pdf_report.pdf"]
    home.put(report, content=content)
    home.upload(order, set(home.artifacts(scan)) - {report.name})
    home.complete(order)
    home.collect()


def convert_first(home: Stepped, name: str) -> None:
    """Seal a conversion's first generation."""
    first = conversion(home, name)
    assert first is not None
    home.write(generations.freeze, first.id, 1, "archived", 1, 1)
    home.write(generations.sealed, first.id, 1, "0" * 64)


@pytest.mark.parametrize("name", ["essay", HOSTILE])
def test_a_sealed_report_is_ordered_as_a_scan_of_its_own_that_names_it(
    home: Stepped, name: str
) -> None:
    scan = home.archived(name)
    report = home.artifacts(scan)["pdf_report.pdf"]
    assert convert(home) == 1
    found = conversion(home, f"{name}.pdfa")
    assert found is not None
    assert found.state == ScanState.ORDERED
    bag = bag_prefix(scan.key, 1)
    assert source(home, f"{name}.pdfa") == {
        "bag": bag,
        "key": payload_key(bag, report.name),
        "sha256": report.sha256,
        "size": report.size,
        "vendor": "copyleaks",
        "account": "default",
        "scan": name,
    }
    (wanted,) = home.look(artifacts.of_generation, found.id, 1)
    assert wanted.name == "files/pdf_report.pdf"


def test_each_report_is_ordered_once(home: Stepped) -> None:
    home.archived("essay")
    assert [convert(home), convert(home)] == [1, 0]
    found = conversion(home, "essay.pdfa")
    assert found is not None
    assert len(home.look(of_scan, found.id)) == 1


def test_a_tick_takes_no_more_than_its_limit_and_the_next_goes_on(home: Stepped) -> None:
    for number in range(5):
        home.archived(f"essay-{number}")
    assert [convert(home, 2), convert(home, 2), convert(home, 2), convert(home, 2)] == [2, 2, 1, 0]
    assert all(conversion(home, f"essay-{number}.pdfa") for number in range(5))


def test_a_seal_is_left_alone_until_no_older_one_can_still_come(home: Stepped) -> None:
    home.archived("essay")
    assert convert(home, later=0) == 0
    assert convert(home) == 1


def test_a_clock_that_is_set_back_costs_no_report_its_conversion(home: Stepped) -> None:
    """Sealed at times before the last one told, they were never looked at."""
    home.archived("before")
    assert convert(home) == 1
    home.now -= 3_600
    home.archived("after")
    convert(home)
    assert conversion(home, "after.pdfa") is not None
    found = conversion(home, "before.pdfa")
    assert found is not None
    assert len(home.look(of_scan, found.id)) == 1


@pytest.mark.parametrize("name", ["essay", HOSTILE])
def test_a_clock_that_is_set_back_makes_no_older_report_the_newest(
    home: Stepped, name: str
) -> None:
    """Looked at again, the first generation's bytes are not those of the second."""
    scan = home.archived(name)
    convert(home)
    convert_first(home, f"{name}.pdfa")
    home.now += 3_600
    archive_anew(home, scan, pdf(7))
    assert convert(home) == 1
    known = source(home, f"{name}.pdfa")
    home.now -= 1_800
    assert convert(home) == 1
    assert source(home, f"{name}.pdfa") == known
    found = conversion(home, f"{name}.pdfa")
    assert found is not None
    assert found.generation == 2


def test_of_reports_that_are_told_in_the_wrong_order_the_newest_is_converted(
    home: Stepped,
) -> None:
    """Sealed before and after the clock was set back, the second bears the older time."""
    scan = home.archived("essay")
    home.now -= 600
    archive_anew(home, scan, pdf(7))
    assert convert(home, later=600 + SETTLED_SECONDS) == 2
    assert source(home, "essay.pdfa")["bag"].endswith("/2/")
    found = conversion(home, "essay.pdfa")
    assert found is not None
    assert found.generation == 1


def test_scans_without_a_report_and_scans_that_are_not_sealed_are_left_out(home: Stepped) -> None:
    home.archived("plain", enabled={"pdfReport": False, "plagiarismDetection": True})
    home.ordered("underway")
    convert(home)
    assert conversion(home, "underway.pdfa") is None


@pytest.mark.parametrize("is_other", [True, False])
def test_a_report_that_was_archived_anew_is_converted_anew_if_it_is_another(
    home: Stepped, is_other: bool
) -> None:
    scan = home.archived("essay")
    convert(home)
    archive_anew(home, scan, pdf(7) if is_other else None)
    convert_first(home, "essay.pdfa")
    assert convert(home) == 1
    assert source(home, "essay.pdfa")["bag"].endswith("/2/")
    again = conversion(home, "essay.pdfa")
    assert again is not None
    assert again.generation == (2 if is_other else 1)
