"""One run over many scans: order what is selected, wait a while, show what was settled."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg

from export_pipeline.defs.rests import rests
from export_pipeline.defs.runs import Context
from export_pipeline.defs.showing import FAILURES_SHOWN, Shower
from export_pipeline.defs.slices import Slice
from export_pipeline.errors import BadInput, ConfigError, StoreError
from export_pipeline.ledger import generations, registry, reports
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import (
    Generation,
    GenerationState,
    QueueClass,
    Scan,
    ScanState,
)
from export_pipeline.scans import ScanKey
from export_pipeline.workflow import describe
from export_pipeline.workflow.drive import drive, unsettled
from export_pipeline.workflow.order import Requested, request, retry
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.queue import ORDER

NEW_GENERATION_TAG = "export/new_generation"
"""Run tag by which sealed scans are archived once more, in a new generation."""
SCANS_PER_TRANSACTION = 100
PROBLEMS_SHOWN = 5
"""Of what is wrong with one bag."""
REASONS_SHOWN = 5
FAILED, WAITING, TROUBLE = "failed", "waiting", "trouble"
"""Metadata of the failure of a batch: scans by partition key, and how the store failed."""
NOTHING_TO_DO = " at the vendor, nothing to do: the collect sensor will materialize them"
NOT_ORDERED = "nothing is ordered for this scan: materialize `order` first"


@dataclass
class Result:
    """How a batch went.

    Args:
        scans: how many were asked for.
        failed: (partition key, asset) -> reason.
        waiting: partition key of a scan that is not settled yet -> what holds it up (the store, or
            a rest of its account), "" if it only takes its time.
        trouble: how the store failed, "" if it did not.
    """

    scans: int
    failed: dict[tuple[str, str], str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    trouble: str = ""

    def failure(self) -> dg.Failure:
        """What ends a run in which not every scan was settled well: names each, once.

        The bag's reason goes before those of artifacts: it speaks of the scan as a whole.
        """
        by_scan: dict[str, str] = {}
        for (key, asset), reason in self.failed.items():
            if asset == describe.BAG or key not in by_scan:
                by_scan[key] = f"{asset}: {reason}"
        first = "; ".join(f"{key}: {why}" for key, why in list(by_scan.items())[:REASONS_SHOWN])
        more = len(by_scan) - REASONS_SHOWN
        first += f"; and {more} more, shown as failed partitions" if more > 0 else ""
        said = [f"{len(by_scan)} of {self.scans} scans failed: {first}"] if by_scan else []
        for why, count in Counter(self.waiting.values()).items():
            said.append(f"{count} still waiting{f': {why}' if why else NOTHING_TO_DO}")
        return dg.Failure(
            ". ".join(said),
            metadata={
                FAILED: dg.MetadataValue.json(dict(list(by_scan.items())[:FAILURES_SHOWN])),
                WAITING: dg.MetadataValue.json(list(self.waiting)[:FAILURES_SHOWN]),
                TROUBLE: dg.MetadataValue.text(self.trouble),
            },
            allow_retries=False,
        )


class Batch:
    """A run over some scans and some of the vendor's assets."""

    def __init__(
        self,
        context: Context,
        slice_: Slice,
        pipeline: Pipeline,
        selected: Sequence[str],
        *,
        planned: bool,
    ) -> None:
        self._slice = slice_
        self._pipeline = pipeline
        self._selected = list(selected)
        self._run_id = context.run.run_id
        self._shower = Shower(context, slice_, pipeline, planned=planned)
        self._new_generation = context.run.tags.get(NEW_GENERATION_TAG, "").lower() == "true"

    async def run(self, partition_keys: Sequence[str]) -> Result:
        """Order, wait and show; never raises for a scan that fails, nor where the store does."""
        result = Result(len(partition_keys))
        scans = await self._find(partition_keys, result)
        outcomes = await self._request(scans, result)
        sealed = [scan for scan in scans if outcomes.get(scan.id) == Requested.SEALED]
        await self._reread(sealed, result)
        under_way = (Requested.QUEUED, Requested.OPEN)
        open_scans = [scan for scan in scans if outcomes.get(scan.id) in under_way]
        waiting, result.trouble = await self._wait(open_scans)
        await self._show_rest(scans, {scan.id for scan in waiting}, result)
        await asyncio.to_thread(self._shower.log_failures, result.failed)
        result.waiting = await self._why_waiting(waiting, result.trouble)
        return result

    def summarize(self) -> None:
        """Log each asset's check for the whole batch, where the run declares none."""
        self._shower.summarize()

    @property
    def _kinds(self) -> list[str] | None:
        """The artifact kinds to order; None for all, where the bag or only the order is wanted."""
        kinds = [kind.name for kind in self._slice.kinds if kind.name in self._selected]
        if describe.BAG in self._selected or not kinds:
            return None
        return kinds

    @property
    def _orders_only(self) -> bool:
        return self._selected == [ORDER]

    async def _find(self, partition_keys: Sequence[str], result: Result) -> list[Scan]:
        keys: dict[ScanKey, str] = {}
        for text in partition_keys:
            try:
                keys[ScanKey.from_partition_key(self._slice.vendor, text)] = text
            except BadInput as error:
                self._fail(result, text, str(error))
        found = await self._pipeline.ledger.look(registry.find_many, list(keys))
        for key, text in keys.items():
            if key not in found:
                self._fail(
                    result,
                    text,
                    f"scan {key.scan!r} is not registered: bring it in with `export-pipeline"
                    " scans import`, or have its completed webhook sent",
                )
        return [found[key] for key in keys if key in found]

    def _fail(self, result: Result, partition_key: str, reason: str) -> None:
        for asset in self._selected:
            result.failed[partition_key, asset] = reason

    async def _request(self, scans: Sequence[Scan], result: Result) -> Mapping[int, Requested]:
        outcomes: dict[int, Requested] = {}
        refused = {scan.id: reason for scan in scans if (reason := self._cannot_order(scan))}
        ids = [scan.id for scan in scans if scan.id not in refused]
        for start in range(0, len(ids), SCANS_PER_TRANSACTION):
            chunk = ids[start : start + SCANS_PER_TRANSACTION]
            ask = self._ask_all if ORDER in self._selected else self._adopt_all
            outcomes |= await self._pipeline.ledger.apply(ask, chunk)
        for scan in scans:
            if scan.id not in outcomes:
                reason = refused.get(scan.id, NOT_ORDERED)
                self._fail(result, scan.key.partition_key, reason)
        return outcomes

    def _cannot_order(self, scan: Scan) -> str:
        """Why this scan would wait for an order that nobody sends; empty if it would not."""
        if scan.state == ScanState.FORGOTTEN:
            return scan.reason
        if scan.state in (ScanState.ARCHIVED, ScanState.PARTIAL) and not self._new_generation:
            return ""
        try:
            self._pipeline.vendor.require(scan.account)
        except ConfigError as error:
            return str(error)
        return ""

    def _ask_all(self, tx: Tx, scan_ids: Sequence[int]) -> dict[int, Requested]:
        return {scan.id: self._ask(tx, scan) for scan in registry.by_ids(tx, scan_ids)}

    def _ask(self, tx: Tx, scan: Scan) -> Requested:
        vendor, kinds = self._pipeline.vendor, self._kinds
        if scan.state == ScanState.FAILED:
            return retry(tx, vendor, scan, queue_class=QueueClass.HAND, kinds=kinds)
        return request(
            tx,
            vendor,
            scan,
            queue_class=QueueClass.HAND,
            kinds=kinds,
            wants_bag=kinds is None,
            new_generation=self._new_generation,
        )

    def _adopt_all(self, tx: Tx, scan_ids: Sequence[int]) -> dict[int, Requested]:
        """Without `order` nothing is ordered; what is under way or sealed is taken as it is.

        But what failed is ordered again: "re-execute from failure" leaves `order` out, which went
        well.
        """
        found = [(scan, generations.current(tx, scan)) for scan in registry.by_ids(tx, scan_ids)]
        return {
            scan.id: self._adopt(tx, scan, generation)
            for scan, generation in found
            if generation is not None
            and (generation.wants_bag or describe.BAG not in self._selected)
        }

    def _adopt(self, tx: Tx, scan: Scan, generation: Generation) -> Requested:
        if scan.state == ScanState.FAILED:
            return self._ask(tx, scan)
        is_sealed = generation.state == GenerationState.SEALED
        return Requested.SEALED if is_sealed else Requested.OPEN

    async def _reread(self, sealed: Sequence[Scan], result: Result) -> None:
        if self._orders_only or not sealed:
            return
        # It brings PyArrow, a seventh of what it costs to start a run.
        from export_pipeline.workflow.reread import reread  # noqa: PLC0415

        found = await reread(self._pipeline, sealed, self._run_id)
        for scan in sealed:
            if problems := found.get(scan.id):
                told = "; ".join(problems[:PROBLEMS_SHOWN])
                self._fail(result, scan.key.partition_key, told)

    async def _wait(self, scans: Sequence[Scan]) -> tuple[list[Scan], str]:
        """Return the scans that are not settled yet, and how the store failed if it did."""
        ids = [scan.id for scan in scans]
        if self._orders_only or not ids:
            await self._show(ids)
            return [], ""
        kinds = self._kinds or [kind.name for kind in self._slice.kinds]
        wants_bag = describe.BAG in self._selected
        try:
            waiting = await drive(
                self._pipeline,
                ids,
                kinds=kinds,
                wants_bag=wants_bag,
                seconds=self._pipeline.settings.run_wait,
                show=lambda: self._show(ids),
            )
        except StoreError as error:
            await self._show(ids)
            return await self._pipeline.ledger.look(unsettled, ids, kinds, wants_bag), str(error)
        return waiting, ""

    async def _why_waiting(self, waiting: Sequence[Scan], trouble: str) -> dict[str, str]:
        """Say of each scan by partition key what holds it up."""
        accounts = {scan.account for scan in waiting}
        resting = await self._pipeline.ledger.look(rests, self._slice.vendor, accounts)
        reasons = {rest.account: str(rest) for rest in resting}
        return {
            scan.key.partition_key: trouble or reasons.get(scan.account, "") for scan in waiting
        }

    async def _show(self, scan_ids: Sequence[int]) -> None:
        if scan_ids:
            await self._shower.show(scan_ids, self._selected)

    async def _show_rest(
        self, scans: Sequence[Scan], waiting: Collection[int], result: Result
    ) -> None:
        """Show what this run did not settle itself: a range run must speak of every key."""
        result.failed |= {name: why for name, why in self._shower.settled.items() if why}
        spoken = {*self._shower.settled, *result.failed}
        for start in range(0, len(scans), SCANS_PER_TRANSACTION):
            silent = [
                (scan, asset)
                for scan in scans[start : start + SCANS_PER_TRANSACTION]
                for asset in self._selected
                if (scan.key.partition_key, asset) not in spoken
            ]
            await self._show_as_they_stand(silent, waiting, result)

    async def _show_as_they_stand(
        self, silent: Sequence[tuple[Scan, str]], waiting: Collection[int], result: Result
    ) -> None:
        """Show assets from the ledger; note why those that cannot be shown as materialized."""
        standing = await self._pipeline.ledger.look(_as_they_stand, silent)
        shown = [(scan, asset, *told) for scan, asset, told in standing if told is not None]
        await asyncio.to_thread(self._shower.log, shown)
        for scan, asset, told in standing:
            failure = _failure(scan, asset, told)
            if failure and scan.id not in waiting:
                result.failed[scan.key.partition_key, asset] = failure


def _as_they_stand(
    tx: Tx, silent: Sequence[tuple[Scan, str]]
) -> list[tuple[Scan, str, describe.Shown | None]]:
    ids = {scan.id for scan, _ in silent}
    current = {scan.id: scan for scan in registry.by_ids(tx, sorted(ids))}
    return [
        (current[scan.id], asset, describe.describe(tx, current[scan.id], asset))
        for scan, asset in silent
    ]


def _failure(scan: Scan, asset: str, shown: describe.Shown | None) -> str:
    """Why an asset is not shown as materialized; empty if it is."""
    if shown is None:
        settled = scan.state in (ScanState.FAILED, ScanState.EXPIRED)
        unordered = f"{asset} is not ordered for this scan: materialize `order` with it"
        return f"{scan.state}: {scan.reason}" if settled else unordered
    status, facts = shown
    return str(facts["reason"]) if status == reports.FAILED else ""
