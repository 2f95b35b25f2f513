import json
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfWriter

from export_pipeline.errors import Unreadable
from export_pipeline.sandbox.copyleaks.artifacts import artifact_bytes
from export_pipeline.vendors.artifacts import Availability, PlannedArtifact
from export_pipeline.vendors.copyleaks.artifacts import KIND_NAMES, KINDS, parts, plan
from export_pipeline_tests.vendors.copyleaks.bench import scan

OPENERS = {kind.name: kind.opener for kind in KINDS}
OPTIONAL = ("pdf_report", "ai_detection", "writing_feedback", "overview")
FIELDS = {
    "results": "results/r1",
    "crawled_version": "crawledVersion",
    "pdf_report": "pdfReport",
    "ai_detection": "aiDetection",
    "writing_feedback": "writingFeedback",
    "overview": "overview",
}


def planned(*configured: str, **details: Any) -> dict[str, PlannedArtifact]:
    return {artifact.name: artifact for artifact in plan(scan("essay-1", **details), configured)}


def test_results_are_one_file_each_under_their_escaped_id() -> None:
    found = planned(result_ids=["2a1b", "A/b", "2a1b"])
    names = [(name, found[name].vendor_name) for name in found if name.startswith("results")]
    assert names == [("results/2a1b.json", "2a1b"), ("results/=41=2fb.json", "A/b")]


def test_an_id_too_long_for_a_file_name_is_missing_with_the_reason_and_holds_nothing_up() -> None:
    longest, too_long = "A" * 66 + "bc", "A" * 67
    found = planned(result_ids=["2a1b", too_long, longest])
    results = {one.vendor_name: one for one in found.values() if one.kind == "results"}
    assert list(results) == ["2a1b", too_long, longest]
    assert results[longest].availability is Availability.EXPECTED
    missing = results.pop(too_long)
    assert missing.availability is Availability.MISSING
    assert missing.reason == "its id is too long to be a file name"
    assert missing.name not in planned(result_ids=[too_long + "b"])
    assert all(len(artifact.name) < 255 for artifact in found.values())


def test_results_without_known_ids_are_missing_with_what_to_do() -> None:
    results = planned()["results"]
    assert results.availability is Availability.MISSING
    assert "inbox import" in results.reason


def test_a_scan_without_results_has_settled_results() -> None:
    results = planned(result_ids=[])["results"]
    assert (results.availability, results.reason) == (
        Availability.ABSENT,
        "the scan has no results",
    )


def test_what_nobody_told_is_unknown_but_for_the_crawled_version() -> None:
    found = {artifact.kind: artifact.availability for artifact in planned().values()}
    assert found["crawled_version"] is Availability.EXPECTED
    assert [found[kind] for kind in OPTIONAL] == [Availability.UNKNOWN] * len(OPTIONAL)


def test_the_scans_own_word_goes_before_the_settings() -> None:
    found = planned("pdf_report", enabled={"pdf_report": False, "ai_detection": True})
    assert found["pdf_report.pdf"].availability is Availability.ABSENT
    assert found["ai_detection.json"].availability is Availability.EXPECTED


def test_the_settings_decide_where_the_scan_says_nothing() -> None:
    found = planned("pdf_report")
    assert found["pdf_report.pdf"].availability is Availability.EXPECTED
    assert found["crawled_version.json"].availability is Availability.EXPECTED
    assert found["overview.json"].availability is Availability.ABSENT
    assert found["overview.json"].reason == "not among EXPORT_COPYLEAKS_ARTIFACTS"


def test_an_alert_about_the_pdf_goes_before_everything() -> None:
    report = planned("pdf_report", enabled={"pdf_report": True}, pdf_alert="too long")
    assert report["pdf_report.pdf"].availability is Availability.ABSENT
    assert "too long" in report["pdf_report.pdf"].reason


@pytest.mark.parametrize(
    ("results", "sizes"), [(0, [5]), (1000, [1005]), (2300, [1005, 1000, 300])]
)
def test_an_order_takes_a_thousand_results_and_the_first_all_else(
    results: int, sizes: list[int]
) -> None:
    artifacts = [
        artifact
        for artifact in planned(result_ids=[f"r{number}" for number in range(results)]).values()
        if artifact.availability is not Availability.ABSENT
    ]
    orders = parts(artifacts)
    assert [len(order) for order in orders] == sizes
    assert sorted(a.name for order in orders for a in order) == sorted(a.name for a in artifacts)
    assert {artifact.kind for order in orders[1:] for artifact in order} <= {"results"}


def test_nothing_to_order_is_no_order() -> None:
    assert parts([]) == []


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_an_artifact_opens_as_its_kind(kind: str) -> None:
    facts = OPENERS[kind](BytesIO(artifact_bytes("essay-1", FIELDS[kind])))
    assert facts == ({"pages": 3} if kind == "pdf_report" else {})


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_half_an_artifact_does_not_open(kind: str) -> None:
    whole = artifact_bytes("essay-1", FIELDS[kind])
    least = len(whole.rstrip())
    with pytest.raises(Unreadable):
        OPENERS[kind](BytesIO(whole[: least // 2]))


@pytest.mark.parametrize("kind", [kind for kind in KIND_NAMES if kind != "pdf_report"])
@pytest.mark.parametrize("other", [{}, [], None, {"error": {"message": "no"}}])
def test_json_of_another_shape_does_not_open(kind: str, other: object) -> None:
    with pytest.raises(Unreadable, match="not the JSON that the vendor documents"):
        OPENERS[kind](BytesIO(json.dumps(other).encode()))


@pytest.mark.parametrize("garbage", [b"", b"<html>", b"%PDF-1.7\n%%EOF", b"%PDF-1.7" + b"\0" * 99])
def test_what_is_no_pdf_does_not_open(garbage: bytes) -> None:
    with pytest.raises(Unreadable, match="PDF"):
        OPENERS["pdf_report"](BytesIO(garbage))


def test_a_pdf_without_pages_does_not_open() -> None:
    file = BytesIO()
    PdfWriter().write(file)
    with pytest.raises(Unreadable, match="without pages"):
        OPENERS["pdf_report"](file)


def test_keys_that_the_vendor_adds_later_are_fine() -> None:
    overview = {"overview": "# All", "modelVersion": "v2", "language": "en"}
    assert OPENERS["overview"](BytesIO(json.dumps(overview).encode())) == {}
