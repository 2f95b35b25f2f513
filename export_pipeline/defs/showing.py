"""Show in Dagster what the ledger says was settled: materializations, checks, metadata."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from export_pipeline.defs.recording import record, record_failure
from export_pipeline.defs.runs import Context
from export_pipeline.defs.slices import Slice, check_name
from export_pipeline.ledger import admission, registry, reports
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Report, Scan
from export_pipeline.workflow.pipeline import Pipeline

LEASE_SECONDS = 120.0
FAILURES_SHOWN = 50
REPORTS_PER_TURN = 256
"""Reports recorded at once: a quarter of a second of CPU on Dagster's SQLite."""

Settled = Mapping[tuple[str, str], str]
"""(partition key, asset) -> reason of the failure, "" if it was materialized."""


class Shower:
    """Logs reports as Dagster events of one run and remembers which.

    Args:
        context: of the run that shows them.
        slice_: the vendor's slice.
        pipeline: whose ledger holds the reports.
        planned: whether the run planned the materializations, so that one that stays out shows
            as failed; otherwise it is planned when it has failed.
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
            told = [(scan, one.asset, one.status, one.metadata) for scan, one in taken]
            await asyncio.to_thread(self.log, told)
            await self._pipeline.ledger.apply(_shown, taken)
            count += len(taken)
        return count

    async def _take(
        self, scan_ids: Sequence[int] | None, assets: Sequence[str] | None
    ) -> list[tuple[Scan, Report]]:
        taken = await self._pipeline.ledger.apply(
            _take, self._slice.vendor, self._pipeline.owner, scan_ids, assets
        )
        unseen = {scan.key.partition_key for scan, _ in taken if scan.admitted_at is None}
        self._slice.add_partitions(self._context.instance, sorted(unseen))
        return taken

    def log(self, shown: Sequence[tuple[Scan, str, str, Mapping[str, Any]]]) -> None:
        """Show assets of scans, each with its status and facts.

        What is well is a materialization, of the rest is logged what is wrong.
        """
        made = [self._show(*one) for one in shown]
        record(self._context, [one for one in made if one is not None])

    def _show(
        self, scan: Scan, asset: str, status: str, facts: Mapping[str, Any]
    ) -> dg.AssetMaterialization | None:
        """Return what is to be recorded of an asset; log it if it is a failure."""
        partition = scan.key.partition_key
        metadata = self._metadata(scan, status, facts)
        failed = status == reports.FAILED
        self.settled[partition, asset] = str(facts.get("reason") or status) if failed else ""
        if failed:
            said = f"{scan.scan}: {facts.get('reason')}"
            self._log_failure(partition, asset, said, metadata)
            return None
        key = self._slice.key(asset)
        return dg.AssetMaterialization(key, partition=partition, metadata=metadata)

    def _log_failure(
        self,
        partition: str,
        asset: str,
        said: str,
        metadata: Mapping[str, dg.MetadataValue[Any]],
    ) -> None:
        key = self._slice.key(asset)
        self._log_check(asset, metadata, passed=False, partition=partition, description=said)
        if not self._planned:
            record_failure(self._context, key, partition)
            self._context.log_event(
                dg.AssetObservation(key, partition=partition, metadata=metadata)
            )

    def log_failures(self, failed: Mapping[tuple[str, str], str]) -> None:
        """Show failures of which the ledger has no report; a run that planned them does anyway.

        Args:
            failed: (partition key, asset) -> reason; keys that are no partitions are only counted.
        """
        if self._planned:
            return
        unshown = {name: why for name, why in failed.items() if not self.settled.get(name)}
        self.settled |= unshown
        partitions = {key for key, _ in unshown}
        known = {
            key for key in partitions if self._slice.has_partition(self._context.instance, key)
        }
        for (partition, asset), why in unshown.items():
            if partition in known:
                metadata = {"status": _value(reports.FAILED), "reason": _value(why)}
                self._log_failure(partition, asset, f"{partition}: {why}", metadata)

    def summarize(self) -> None:
        """Log the one verdict a batch of each asset's check: an op job declares no checks."""
        for asset in sorted({asset for _, asset in self.settled}):
            told = {key: why for (key, name), why in self.settled.items() if name == asset}
            failed = {key: why for key, why in told.items() if why}
            self._log_check(asset, summary(len(told), failed), passed=not failed)

    def _log_check(
        self,
        asset: str,
        metadata: Mapping[str, dg.MetadataValue[Any]],
        *,
        passed: bool,
        partition: str | None = None,
        description: str | None = None,
    ) -> None:
        self._context.log_event(
            dg.AssetCheckEvaluation(  # type: ignore[arg-type]  # ops take them all the same
                asset_key=self._slice.key(asset),
                check_name=check_name(asset),
                passed=passed,
                partition=partition,
                description=description,
                metadata=metadata,
            )
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


def summary(scans: int, failed: Mapping[str, str]) -> dict[str, dg.MetadataValue[Any]]:
    """What an asset's check tells of a batch.

    Args:
        scans: how many there were.
        failed: partition key -> reason.
    """
    reasons = dict(list(failed.items())[:FAILURES_SHOWN])
    facts = {"scans": scans, "failed": len(failed), **({"reasons": reasons} if reasons else {})}
    return {name: _value(value) for name, value in facts.items()}


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
) -> list[tuple[Scan, Report]]:
    """Lease reports; return them with their scans."""
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
    return [(found[one.scan_id], one) for one in taken]


def _shown(tx: Tx, taken: Sequence[tuple[Scan, Report]]) -> None:
    """Note what was shown, and only now that the keys are there: a crash before repeats both."""
    reports.shown(tx, [report.id for _, report in taken])
    unseen = {scan.id for scan, _ in taken if scan.admitted_at is None}
    admission.mark_admitted(tx, sorted(unseen))
