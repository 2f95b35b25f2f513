"""The outbox towards Dagster: what was settled and has yet to be shown, at least once each.

A report is written in the transaction that settles, so that a crash between the two cannot lose
it. Whoever shows it (an asset's run or an op job) takes it under a lease and marks it shown.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.prepared import prepared
from export_pipeline.ledger.reading import reader
from export_pipeline.ledger.rows import Report
from export_pipeline.ledger.schema import reports

FAILED = "failed"
"""Status of a report that shows a failure (a failed check), not a materialization."""


def add(
    tx: Tx, *, scan_id: int, vendor: str, generation: int, asset: str, status: str, **metadata: Any
) -> None:
    """Note that `asset` of the scan was settled as `status`."""
    tx.run(
        _insert(
            scan_id=scan_id,
            vendor=vendor,
            generation=generation,
            asset=asset,
            status=status,
            metadata=metadata,
            created_at=tx.now,
        )
    )


@prepared
def _insert(**values: Any) -> sa.Insert:
    return sa.insert(reports).values(**values)


def take(
    tx: Tx,
    vendor: str,
    owner: str,
    *,
    limit: int,
    seconds: float,
    scan_ids: Sequence[int] | None = None,
    assets: Sequence[str] | None = None,
) -> list[Report]:
    """Lease the oldest outstanding reports for `seconds`, of some scans and assets or of all."""
    query = _outstanding(tx, vendor).order_by(reports.c.id).limit(limit)
    if scan_ids is not None:
        query = query.where(reports.c.scan_id.in_(scan_ids))
    if assets is not None:
        query = query.where(reports.c.asset.in_(assets))
    taken = [_report(row) for row in tx.all(query)]
    tx.run(
        sa.update(reports)
        .where(reports.c.id.in_([report.id for report in taken]))
        .values(lease_owner=owner, lease_until=tx.now + seconds)
    )
    return taken


def shown(tx: Tx, report_ids: Sequence[int]) -> None:
    """Mark reports as shown in Dagster."""
    tx.run(sa.update(reports).where(reports.c.id.in_(report_ids)).values(reported_at=tx.now))


def has_outstanding(tx: Tx, vendor: str) -> bool:
    """Whether a report waits that nobody is showing now."""
    return tx.one_or_none(_outstanding(tx, vendor).limit(1)) is not None


_report = reader(Report)


def _outstanding(tx: Tx, vendor: str) -> sa.Select[Any]:
    free = sa.or_(reports.c.lease_until.is_(None), reports.c.lease_until <= tx.now)
    return sa.select(reports).where(
        reports.c.vendor == vendor, reports.c.reported_at.is_(None), free
    )


def unreported_scans(vendor: str) -> sa.Select[Any]:
    """Ids of scans with outstanding reports, as a subquery for callers that must spare them."""
    return sa.select(reports.c.scan_id).where(
        reports.c.vendor == vendor, reports.c.reported_at.is_(None)
    )
