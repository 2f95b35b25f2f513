"""The archive's report as an asset, into a real store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline.defs.report import REPORTS_KEPT
from export_pipeline.errors import AccessDenied
from export_pipeline.sandbox import ScanSpec
from export_pipeline.storage.local import LocalStore
from export_pipeline_tests.defs.lab import Lab
from export_pipeline_tests.defs.lab import lab as make_lab

HOSTILE = 'a/../b%2f;:"<x>'


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An empty archive for each test."""
    with make_lab(tmp_path_factory.mktemp("lab"), EXPORT_ATTEMPTS="1") as made:
        yield made


def pages(lab: Lab) -> list[Path]:
    return sorted((lab.archive / "report").iterdir())


def test_the_report_is_a_page_in_the_store_and_figures_in_dagster(lab: Lab) -> None:
    failing = ScanSpec(HOSTILE, results=1, traits=("never_delivers",))
    for specs in ((ScanSpec("essay-1", results=1),), (failing,)):
        lab.materialize(lab.register(*specs))
    result = lab.materialize_unpartitioned("archive/report")
    assert result.success
    facts = lab.shown(result, "archive/report")[""]
    (page,) = pages(lab)
    assert facts["location"] == page.as_uri()
    assert facts["size"] == page.stat().st_size
    assert (facts["scans"], facts["damaged"]) == (2, 0)
    assert "| copyleaks | 1 | 1 | ██████ 50% |" in facts["scans_by_state"]
    text = page.read_text()
    assert "a/../b%2f;:&quot;&lt;x&gt;" in text
    assert "<x>" not in text


def test_only_the_newest_reports_are_kept(lab: Lab) -> None:
    folder = lab.archive / "report"
    folder.mkdir(parents=True)
    old = [folder / f"2026-01-{day:02}t050000-0123abcd.html" for day in range(1, 12)]
    for page in old:
        page.write_text("a scan that was forgotten since")
    result = lab.materialize_unpartitioned("archive/report")
    kept = pages(lab)
    assert len(kept) == REPORTS_KEPT
    assert kept[:-1] == old[-(REPORTS_KEPT - 1) :]
    (removed,) = lab.evaluations(result)
    assert removed.passed
    assert removed.metadata["removed"].value == 12 - REPORTS_KEPT


def test_old_reports_that_the_store_keeps_fail_a_check_and_not_the_new_report(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = lab.archive / "report"
    folder.mkdir(parents=True)
    for day in range(1, 12):
        (folder / f"2026-01-{day:02}t050000-0123abcd.html").touch()

    async def keep(_store: LocalStore, key: str) -> int:
        raise AccessDenied(f"{key} is kept by a legal hold")

    monkeypatch.setattr(LocalStore, "erase", keep)
    result = lab.materialize_unpartitioned("archive/report")
    assert result.success
    (removed,) = lab.evaluations(result)
    assert not removed.passed
    assert "is kept by a legal hold" in (removed.description or "")
    assert len(pages(lab)) == 12
