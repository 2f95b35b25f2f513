"""Show in Dagster what the ledger says was settled: materializations, checks, metadata."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from export_pipeline.defs.runs import Context
from export_pipeline.defs.slices import Slice, check_name
from export_pipeline.ledger import registry, reports
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Report, Scan
from export_pipeline.workflow.pipeline import Pipeline

LEASE_SECONDS = 120.0
REPORTS_PER_TURN = 64
"""Reports logged before others get a turn: each takes Dagster's SQLite 5 to 7 ms."""

Settled = Mapping[tuple[str, str], str]
"""(partition key, asset) -> reason of the failure, "" if it was materialized."""


class Shower:
    """Logs reports as Dagster events of one run and remembers which.

    Args:
        context: of the run that shows them.
        slice_: the vendor's slice.
        pipeline: whose ledger holds the reports.
        planned: whether the run planned the materializations, so that one that stays out shows
            as failed; otherwise a failed check and an observation show it.
    """

    def __init__(
        self, context: Context, slice_: Slice, pipeline: Pipeline, *, planned: bool
    ) -> None:
        self._context = context
        self._slice = slice_
        self._pipeline = pipeline
        self._planned = planned
        self.settled: dict[tuple[str, str], str] = {}

    async def show(
        self, scan_ids: Sequence[int] | None = None, assets: Sequence[str] | None = None
    ) -> int:
        """Show outstanding reports, of some scans and assets or of all; return how many."""
        count = 0
        while taken := await self._take(scan_ids, assets):
            for scan, report in taken:
                self.log(scan, report.asset, report.status, report.metadata)
                await asyncio.sleep(0)
            await self._pipeline.ledger.apply(reports.shown, [report.id for _, report in taken])
            count += len(taken)
        return count

    async def _take(
        self, scan_ids: Sequence[int] | None, assets: Sequence[str] | None
    ) -> list[tuple[Scan, Report]]:
        taken, unseen = await self._pipeline.ledger.apply(
            _take, self._slice.vendor, self._pipeline.owner, scan_ids, assets
        )
        if unseen:
            keys = [scan.key.partition_key for scan in unseen]
            self._slice.add_partitions(self._context.instance, keys)
        return taken

    def log(self, scan: Scan, asset: str, status: str, facts: Mapping[str, Any]) -> None:
        """Show one asset of a scan: a materialization, or what is wrong with it."""
        partition = scan.key.partition_key
        metadata = self._metadata(scan, status, facts)
        failed = status == reports.FAILED
        self.settled[partition, asset] = str(facts.get("reason") or status) if failed else ""
        if not failed:
            self._context.log_event(
                dg.AssetMaterialization(
                    self._slice.key(asset), partition=partition, metadata=metadata
                )
            )
            return
        self._context.log_event(
            dg.AssetCheckEvaluation(  # type: ignore[arg-type]  # ops take them all the same
                asset_key=self._slice.key(asset),
                check_name=check_name(asset),
                passed=False,
                partition=partition,
                description=f"{scan.scan}: {facts.get('reason')}",
                metadata=metadata,
            )
        )
        if not self._planned:
            self._context.log_event(
                dg.AssetObservation(self._slice.key(asset), partition=partition, metadata=metadata)
            )

    def _metadata(
        self, scan: Scan, status: str, facts: Mapping[str, Any]
    ) -> dict[str, dg.MetadataValue[Any]]:
        shown = {"status": status, "scan": scan.scan, "generation": scan.generation, **facts}
        key = shown.pop("key", None)
        if key is not None:
            shown["location"] = f"{self._pipeline.store.url.rstrip('/')}/{key}"
        return {
            ("size" if name == "bytes" else name): _value(value)
            for name, value in shown.items()
            if value not in (None, "", {}, [])
        }


def _value(value: Any) -> dg.MetadataValue[Any]:
    if isinstance(value, bool):
        return dg.MetadataValue.bool(value)
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    if isinstance(value, float):
        return dg.MetadataValue.float(value)
    if isinstance(value, dict | list):
        return dg.MetadataValue.json(value)
    return dg.MetadataValue.text(str(value))


def _take(
    tx: Tx,
    vendor: str,
    owner: str,
    scan_ids: Sequence[int] | None,
    assets: Sequence[str] | None,
) -> tuple[list[tuple[Scan, Report]], list[Scan]]:
    """Lease reports; return them with their scans, and the scans that have no partition yet."""
    taken = reports.take(
        tx,
        vendor,
        owner,
        limit=REPORTS_PER_TURN,
        seconds=LEASE_SECONDS,
        scan_ids=scan_ids,
        assets=assets,
    )
    found = {scan.id: scan for scan in registry.by_ids(tx, [one.scan_id for one in taken])}
    unseen = [scan for scan in found.values() if scan.admitted_at is None]
    registry.mark_admitted(tx, [scan.id for scan in unseen])
    return [(found[one.scan_id], one) for one in taken], unseen
