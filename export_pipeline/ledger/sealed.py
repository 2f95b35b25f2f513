"""Files in sealed bags, in the order in which they were sealed."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import ArtifactState, GenerationState
from export_pipeline.ledger.schema import artifacts, generations, scans
from export_pipeline.scans import ScanKey


@dataclass(frozen=True)
class SealedFile:
    """A verified file of a sealed generation."""

    key: ScanKey
    scan_id: int
    generation: int
    sealed_at: float
    name: str
    size: int
    sha256: str


def sealed_files(
    tx: Tx, vendor: str, kind: str, *, after: tuple[float, int], until: float, limit: int
) -> Sequence[SealedFile]:
    """Files of a kind that were sealed beyond `after` and up to `until`, oldest first.

    Args:
        vendor: whose.
        kind: the artifact kind; one that has but one file a scan.
        after: moment of a seal and row id of its scan, as the last one told before.
        until: seconds since the epoch.
        limit: at most so many.
    """
    moment, scan_id = after
    is_beyond = sa.or_(
        generations.c.sealed_at > moment,
        sa.and_(generations.c.sealed_at == moment, generations.c.scan_id > scan_id),
    )
    query = (
        sa.select(
            scans.c.vendor,
            scans.c.account,
            scans.c.scan,
            generations.c.scan_id,
            generations.c.number,
            generations.c.sealed_at,
            artifacts.c.name,
            artifacts.c.size,
            artifacts.c.sha256,
        )
        .join(scans, scans.c.id == generations.c.scan_id)
        .join(
            artifacts,
            sa.and_(
                artifacts.c.scan_id == generations.c.scan_id,
                artifacts.c.generation == generations.c.number,
            ),
        )
        .where(
            generations.c.state == GenerationState.SEALED,
            is_beyond,
            generations.c.sealed_at <= until,
            scans.c.vendor == vendor,
            artifacts.c.kind == kind,
            artifacts.c.state == ArtifactState.VERIFIED,
        )
        .order_by(generations.c.sealed_at, generations.c.scan_id)
        .limit(limit)
    )
    return [
        SealedFile(ScanKey(row.vendor, row.account, row.scan), *row[3:]) for row in tx.all(query)
    ]
