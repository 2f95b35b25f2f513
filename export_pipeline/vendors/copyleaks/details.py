"""What the ledger keeps of one of Copyleaks's scans."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from export_pipeline.vendors.copyleaks.webhooks import CompletedWebhook


class ScanDetails(BaseModel):
    """What the ledger keeps of a scan as `Scan.details`; None is unknown.

    Args:
        result_ids: ids of all results; None if no webhook told them yet, [] if there are none.
        enabled: artifact kind -> whether the scan has it, where the vendor said so.
        pdf_alert: why the vendor made no PDF.
        created: when the vendor took the document in.
        filename: the submitted document's name.
        url: the address from which it was scanned.
        author: its author as the vendor read it.
        total_words: words scanned.
    """

    model_config = ConfigDict(extra="ignore")

    result_ids: list[str] | None = None
    enabled: dict[str, bool] | None = None
    pdf_alert: str | None = None
    created: datetime | None = None
    filename: str | None = None
    url: str | None = None
    author: str | None = None
    total_words: int | None = None

    @classmethod
    def of_webhook(cls, webhook: CompletedWebhook) -> "ScanDetails":
        """What the scan's `completed` webhook tells."""
        document = webhook.scanned_document
        return cls(
            result_ids=webhook.results.ids,
            enabled=document.enabled.model_dump(exclude_none=True) or None,
            pdf_alert=webhook.notifications.pdf_alert,
            created=document.creation_time,
            filename=document.metadata.filename,
            url=document.metadata.final_url,
            author=document.metadata.author,
            total_words=document.total_words,
        )

    def to_json(self) -> dict[str, Any]:
        """The ledger's form: without what is unknown, so that it never hides what was known."""
        return self.model_dump(mode="json", exclude_none=True)
