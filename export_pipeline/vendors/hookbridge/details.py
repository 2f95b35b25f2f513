"""What the ledger keeps of one of HookBridge's scans."""

from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from export_pipeline.ledger.rows import Scan
from export_pipeline.vendors.hookbridge.filters import Filters
from export_pipeline.vendors.vendor import Registration


class ExportDetails(BaseModel):
    """What the ledger keeps of a scan as `Scan.details`.

    Args:
        export_id: the export to adopt; None where one is to be created.
        filters: what to create one of; None where only the export itself tells.
    """

    model_config = ConfigDict(extra="ignore")

    export_id: UUID | None = None
    filters: Filters | None = None

    @classmethod
    def of_scan(cls, scan: Scan) -> Self | None:
        """What a scan is of: what was registered with it, else what its id says, else None."""
        told = cls.model_validate(scan.details)
        return told if told.export_id or told.filters else cls.of_scan_id(scan.scan)

    @classmethod
    def of_scan_id(cls, scan_id: str) -> Self | None:
        """What an id says: a window with its filters, or an export's own; None if neither."""
        if filters := Filters.of_scan_id(scan_id):
            return cls(filters=filters)
        try:
            export_id = UUID(scan_id)
        except ValueError:
            return None
        return cls(export_id=export_id) if str(export_id) == scan_id else None

    @property
    def scan_id(self) -> str:
        """The id of the scan that they describe."""
        if self.export_id is None and self.filters is not None:
            return self.filters.scan_id
        return str(self.export_id)

    def registration(self, expires_at: float | None = None) -> Registration:
        """The scan to register."""
        return Registration(self.scan_id, self.to_json(), expires_at)

    def to_json(self) -> dict[str, Any]:
        """The ledger's form, without what is not set."""
        filters = {"filters": self.filters.to_json()} if self.filters else {}
        export = {"export_id": str(self.export_id)} if self.export_id else {}
        return {**export, **filters}
