"""The audit reasons of the repository (FACTS 2.6)."""

from export_pipeline.sandbox.laserfiche.odata import Row

REASONS: tuple[Row, ...] = (
    {"id": 1, "name": "Legal hold", "auditEventType": "ExportDocument"},
    {"id": 2, "name": "Archival", "auditEventType": "ExportDocument"},
    {"id": 3, "name": "Obsolete", "auditEventType": "DeleteEntry"},
)
OF_EXPORTS = frozenset(one["id"] for one in REASONS if one["auditEventType"] == "ExportDocument")
"""Ids of those that an export may give."""
