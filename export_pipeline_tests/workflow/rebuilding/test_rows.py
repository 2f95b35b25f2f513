"""Which artifacts are rows of the catalog, and in which order."""

from collections.abc import Sequence
from typing import Any

import pytest

from export_pipeline.archive import catalog
from export_pipeline.ledger.rows import ArtifactState
from export_pipeline_tests.archive.catalogs import table
from export_pipeline_tests.workflow.rebuilding.homes import archive_of_all_kinds, partial
from export_pipeline_tests.workflow.stepped import SINGLES, Stepped
from export_pipeline_tests.workflow.test_renew import BROKEN


def test_what_is_absent_is_no_row_and_what_is_missing_is_one_with_its_reason(
    home: Stepped,
) -> None:
    scan = partial(
        home, "partial", enabled=dict.fromkeys((*SINGLES,), True) | {"pdf_report": False}
    )
    rows = {row["name"]: row for row in table(home.ledger).to_pylist()}
    states = {name: one.state for name, one in home.artifacts(scan).items()}
    assert states["pdf_report.pdf"] == ArtifactState.ABSENT
    assert "pdf_report.pdf" not in rows
    gone, kept = rows[BROKEN], rows["ai_detection.json"]
    assert (gone["missing"], kept["missing"]) == (True, False)
    assert gone["status"] == kept["status"] == "partial"
    assert gone["reason"] == home.artifacts(scan)[BROKEN].reason
    for name in ("size", "sha256", "key", "content_type", "verified_last"):
        assert gone[name] is None
        assert kept[name] is not None
    assert gone["order_id"] == home.orders(scan)[-1].id


def order_of(rows: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    names = ("vendor", "account", "scan", "generation", "name")
    return [tuple(str(row[name]).encode() for name in names) for row in rows]


def test_rows_are_in_order_of_their_bytes_page_after_page(
    home: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive_of_all_kinds(home)
    whole = table(home.ledger)
    monkeypatch.setattr(catalog, "SCANS_PER_PAGE", 2)
    monkeypatch.setattr(catalog, "ROWS_PER_BATCH", 5)
    rows = table(home.ledger)
    assert rows.equals(whole)
    places = order_of(rows.to_pylist())
    assert places == sorted(places)
    assert len(set(places)) == len(places)
