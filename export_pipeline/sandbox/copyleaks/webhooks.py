"""The bodies of Copyleaks's webhooks (FACTS 1.5 and 1.6)."""

import re
from datetime import UTC, datetime
from typing import Any

from export_pipeline.sandbox.copyleaks.scans import Scan

Json = dict[str, Any]

STATUS_TOKEN = re.compile(r"\{STATUS\}", re.IGNORECASE)
# Which list a result stands in, repeated along the results.
SOURCES = ("internet", "internet", "internet", "database", "batch", "repositories")


def status_url(url: str, status: str) -> str:
    """The scan's webhook URL with its token replaced."""
    return STATUS_TOKEN.sub(status, url)


def export_completed(developer_payload: str | None, tasks: list[Json]) -> Json:
    """The export's summary; it names neither scan nor export."""
    return {"completed": True, "developerPayload": developer_payload, "tasks": tasks}


def completed(scan: Scan) -> Json:
    """The scan's `completed` body with the ids of all its results."""
    return {
        "status": 0,
        "developerPayload": scan.spec.developer_payload,
        "scannedDocument": _scanned_document(scan),
        "results": {**_results(scan), "score": _score(scan)},
        "notifications": {"alerts": []},
    }


def _scanned_document(scan: Scan) -> Json:
    created = datetime.fromtimestamp(scan.created, UTC)
    document = {
        "scanId": scan.spec.id,
        "totalWords": 1_200,
        "totalExcluded": 8,
        "credits": 5,
        "expectedCredits": 5,
        "creationTime": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        "metadata": {"filename": "document.docx"},
    }
    return {**document, "enabled": _enabled(scan)} if scan.spec.enabled else document


def _enabled(scan: Scan) -> dict[str, bool]:
    return {
        "plagiarismDetection": True,
        "aiDetection": "aiDetection" in scan.spec.artifacts,
        "writingFeedback": "writingFeedback" in scan.spec.artifacts,
        "pdfReport": "pdfReport" in scan.spec.artifacts,
        "cheatDetection": False,
        "aiSourceMatch": False,
    }


def _results(scan: Scan) -> dict[str, list[Json]]:
    lists: dict[str, list[Json]] = {source: [] for source in SOURCES}
    for index, result_id in enumerate(scan.result_ids):
        source = SOURCES[index % len(SOURCES)]
        lists[source].append(_result(source, result_id, index))
    return lists


def _result(source: str, result_id: str, index: int) -> Json:
    result: Json = {
        "id": result_id,
        "title": f"Source {index + 1}",
        "introduction": "A passage that is alike.",
        "matchedWords": 9 + index % 50,
        "metadata": {},
        "tags": [],
    }
    if source == "internet":
        return {**result, "url": f"https://source-{index + 1}.example/page"}
    if source == "repositories":
        return {**result, "repositoryId": "repository-1", "scanId": f"earlier-{index + 1}"}
    return {**result, "scanId": f"earlier-{index + 1}"}


def _score(scan: Scan) -> Json:
    return {
        "identicalWords": 9 * scan.spec.results,
        "minorChangedWords": 0,
        "relatedMeaningWords": 0,
        "aggregatedScore": min(100.0, 2.5 * scan.spec.results),
    }
