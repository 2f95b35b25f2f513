"""Copyleaks's artifacts: their kinds, which of them a scan has, how they open."""

from collections.abc import Callable, Collection, Iterator, Sequence
from hashlib import sha256
from typing import Any, BinaryIO

from pydantic import ValidationError

from export_pipeline.errors import Unreadable
from export_pipeline.ledger.rows import Scan
from export_pipeline.scans import escape
from export_pipeline.validation import in_words
from export_pipeline.vendors.artifacts import ArtifactKind, Availability, PlannedArtifact
from export_pipeline.vendors.copyleaks.details import ScanDetails
from export_pipeline.vendors.copyleaks.models import makes_file_name
from export_pipeline.vendors.copyleaks.shapes import (
    AiDetectionShape,
    CrawledVersionShape,
    OverviewShape,
    ResultShape,
    Shape,
    WritingFeedbackShape,
)
from export_pipeline.vendors.openers import open_pdf

RESULTS_PER_EXPORT = 1000
"""Seed 000: `results`, at most 1000 items."""
RESULTS = "results"
CRAWLED_VERSION = "crawled_version"
PDF_REPORT = "pdf_report"
JSON_TYPE = "application/json"
PDF_TYPE = "application/pdf"

NO_IDS = (
    "no webhook told this scan's result ids: import its `completed` webhook's body with"
    " `export-pipeline inbox import`, then `export-pipeline retry --new-generation` it"
)
LONG_ID = "its id is too long to be a file name"


def _opens_as(shape: type[Shape]) -> Callable[[BinaryIO], dict[str, Any]]:
    def opener(file: BinaryIO) -> dict[str, Any]:
        try:
            shape.model_validate_json(file.read())
        except ValidationError as error:
            reason = f"not the JSON that the vendor documents: {in_words(error)}"
            raise Unreadable(reason) from None
        return {}

    return opener


KINDS = (
    ArtifactKind(
        RESULTS,
        "Each source found to be like the document, with the passages alike: one file a source.",
        JSON_TYPE,
        _opens_as(ResultShape),
    ),
    ArtifactKind(
        CRAWLED_VERSION,
        "The document's text as the vendor read it, with what was left out of the scan.",
        JSON_TYPE,
        _opens_as(CrawledVersionShape),
    ),
    ArtifactKind(
        PDF_REPORT,
        "The report for people, if the scan was submitted with `pdf.create`.",
        PDF_TYPE,
        open_pdf,
    ),
    ArtifactKind(
        "ai_detection",
        "Which passages an AI wrote, if submitted with `aiGeneratedText.detect`.",
        JSON_TYPE,
        _opens_as(AiDetectionShape),
    ),
    ArtifactKind(
        "writing_feedback",
        "Corrections of grammar and style, if submitted with `writingFeedback.enable`.",
        JSON_TYPE,
        _opens_as(WritingFeedbackShape),
    ),
    ArtifactKind(
        "overview",
        "The vendor's summary of the scan, if submitted with `overview.enable`.",
        JSON_TYPE,
        _opens_as(OverviewShape),
    ),
)
KIND_NAMES = tuple(kind.name for kind in KINDS)


def plan(scan: Scan, configured: Collection[str]) -> list[PlannedArtifact]:
    """Every artifact of the scan with what is known of it.

    Args:
        scan: its `details` are a `ScanDetails`.
        configured: kinds that every scan has whose own record does not say; empty: unknown.
    """
    details = ScanDetails.model_validate(scan.details)
    singles = (kind for kind in KINDS if kind.name != RESULTS)
    return [
        *_results(details.result_ids),
        *(_single(kind, details, configured) for kind in singles),
    ]


def parts(artifacts: Sequence[PlannedArtifact]) -> list[list[PlannedArtifact]]:
    """Split into orders of at most `RESULTS_PER_EXPORT` results; the first takes all else."""
    results = [artifact for artifact in artifacts if artifact.kind == RESULTS]
    others = [artifact for artifact in artifacts if artifact.kind != RESULTS]
    first = [*others, *results[:RESULTS_PER_EXPORT]]
    starts = range(RESULTS_PER_EXPORT, len(results), RESULTS_PER_EXPORT)
    later = [results[start : start + RESULTS_PER_EXPORT] for start in starts]
    return [first, *later] if first else []


def _results(result_ids: Sequence[str] | None) -> Iterator[PlannedArtifact]:
    if result_ids is None:
        yield _planned(RESULTS, RESULTS, Availability.MISSING, NO_IDS)
    elif not result_ids:
        yield _planned(RESULTS, RESULTS, Availability.ABSENT, "the scan has no results")
    else:
        for result_id in dict.fromkeys(result_ids):
            yield _result(result_id)


def _result(result_id: str) -> PlannedArtifact:
    if makes_file_name(result_id):
        return PlannedArtifact(RESULTS, f"{RESULTS}/{escape(result_id)}.json", result_id)
    stand_in = f"too-long-{sha256(escape(result_id).encode()).hexdigest()}"
    name = f"{RESULTS}/{stand_in}.json"
    return PlannedArtifact(RESULTS, name, result_id, Availability.MISSING, LONG_ID)


def _single(
    kind: ArtifactKind, details: ScanDetails, configured: Collection[str]
) -> PlannedArtifact:
    suffix = "pdf" if kind.media_type == PDF_TYPE else "json"
    return _planned(kind.name, f"{kind.name}.{suffix}", *_known(kind.name, details, configured))


def _known(
    kind: str, details: ScanDetails, configured: Collection[str]
) -> tuple[Availability, str]:
    enabled = (details.enabled or {}).get(kind)
    if kind == CRAWLED_VERSION:
        return Availability.EXPECTED, ""
    if kind == PDF_REPORT and details.pdf_alert:
        return Availability.ABSENT, f"the vendor made no PDF: {details.pdf_alert}"
    if enabled is False:
        return Availability.ABSENT, "not switched on when the scan was submitted"
    if enabled or kind in configured:
        return Availability.EXPECTED, ""
    if configured:
        return Availability.ABSENT, "not among EXPORT_COPYLEAKS_ARTIFACTS"
    return Availability.UNKNOWN, ""


def _planned(kind: str, name: str, availability: Availability, reason: str) -> PlannedArtifact:
    return PlannedArtifact(kind, name, availability=availability, reason=reason)
