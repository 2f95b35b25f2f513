"""Copyleaks's webhooks: of a scan, and of an export that ended (FACTS 1.5 and 1.6)."""

from typing import Any

from pydantic import Field, ValidationError

from export_pipeline.vendors.copyleaks.models import ID, CopyleaksId, ErrorFacts, Incoming
from export_pipeline.vendors.fields import Moment, Perhaps

PDF_ALERT_CATEGORY = 9
"""FACTS 1.6: an alert of this category means that there will be no PDF."""


class ExportTask(Incoming):
    """The vendor's word on one artifact of an export (FACTS 1.5)."""

    endpoint: str = Field(repr=False)
    is_healthy: bool = False
    http_status_code: int | None = None


class ExportCompleted(Incoming):
    """The webhook that ends an export; it names neither scan nor export (FACTS 1.5)."""

    completed: bool = False
    tasks: list[ExportTask] = Field(default_factory=list)


class Result(Incoming):
    """One result of a scan; its id is opaque, and sometimes an integer.

    Of any length here, as one odd id must not cost the whole scan: see `makes_file_name`.
    """

    id: str = Field(min_length=1)


class Results(Incoming):
    """The four lists over which a scan's results are spread."""

    internet: list[Result] = Field(default_factory=list)
    database: list[Result] = Field(default_factory=list)
    batch: list[Result] = Field(default_factory=list)
    repositories: list[Result] = Field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """All results' ids, each once."""
        lists = (self.internet, self.database, self.batch, self.repositories)
        return list(dict.fromkeys(result.id for results in lists for result in results))


class Enabled(Incoming):
    """Which reports the submission switched on; newer scans alone tell."""

    pdf_report: Perhaps[bool] = None
    ai_detection: Perhaps[bool] = None
    writing_feedback: Perhaps[bool] = None


class Metadata(Incoming):
    """What the vendor knows of the submitted document."""

    filename: Perhaps[str] = None
    final_url: Perhaps[str] = None
    author: Perhaps[str] = None


class ScannedDocument(Incoming):
    """The submitted document."""

    scan_id: CopyleaksId
    total_words: Perhaps[int] = None
    creation_time: Perhaps[Moment] = None
    metadata: Metadata = Metadata()
    enabled: Enabled = Enabled()


class Alert(Incoming):
    """Something that went wrong in a scan that succeeded."""

    category: Perhaps[int] = None
    code: Perhaps[str] = None
    title: Perhaps[str] = None
    message: Perhaps[str] = None


class Notifications(Incoming):
    """A scan's alerts."""

    alerts: list[Alert] = Field(default_factory=list)

    @property
    def pdf_alert(self) -> str | None:
        """Why there is no PDF, None if nothing says so."""
        found = [alert for alert in self.alerts if alert.category == PDF_ALERT_CATEGORY]
        texts = [alert.message or alert.title or alert.code for alert in found]
        return "; ".join(filter(None, texts)) or "an alert without text" if found else None


class CompletedWebhook(Incoming):
    """A scan finished (FACTS 1.6)."""

    scanned_document: ScannedDocument
    results: Results = Results()
    notifications: Notifications = Notifications()


class ErrorWebhook(Incoming):
    """A scan failed (FACTS 1.6); whether it names the scan is up to the vendor.

    `developer_payload` comes back as it was set when the scan was submitted.
    """

    error: ErrorFacts = ErrorFacts()
    developer_payload: Any = None
    scan_id: CopyleaksId | None = None
    scanned_document: ScannedDocument | None = None

    @property
    def scan(self) -> str | None:
        """The failed scan's id, where any part of the body is one."""
        if self.scan_id is not None:
            return self.scan_id
        if self.scanned_document is not None:
            return self.scanned_document.scan_id
        try:
            return ID.validate_python(self.developer_payload)
        except ValidationError:
            return None


class CreditsCheckedWebhook(Incoming):
    """A scan's price is known; nothing was scanned."""

    scanned_document: ScannedDocument | None = None


class IndexedWebhook(Incoming):
    """A document was indexed; there is nothing to export."""
