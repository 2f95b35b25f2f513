"""One run over many scans: order what is selected, wait a while, show what was settled."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg

from export_pipeline.defs.runs import Context
from export_pipeline.defs.showing import Shower
from export_pipeline.defs.slices import Slice
from export_pipeline.errors import BadInput, ConfigError
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
from export_pipeline.workflow.drive import drive
from export_pipeline.workflow.order import Requested, request, retry
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.queue import ORDER
from export_pipeline.workflow.reread import reread

NEW_GENERATION_TAG = "export/new_generation"
"""Run tag by which sealed scans are archived once more, in a new generation."""
SCANS_PER_TRANSACTION = 100
REREADS_AT_ONCE = 8
FAILURES_SHOWN = 50
REASONS_SHOWN = 5
NOT_ORDERED = "nothing is ordered for this scan: materialize `order` first"


@dataclass
class Result:
    """How a batch went.

    Args:
        scans: how many were asked for.
        failed: (partition key, asset) -> reason.
        waiting: partition keys of scans that are still with the vendor.
    """

    scans: int
    failed: dict[tuple[str, str], str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)

    def failure(self) -> dg.Failure:
        """What ends a run in which not every scan was settled well: names each, once."""
        by_scan: dict[str, str] = {}
        for (key, asset), reason in self.failed.items():
            by_scan.setdefault(key, f"{asset}: {reason}")
        first = "; ".join(f"{key}: {why}" for key, why in list(by_scan.items())[:REASONS_SHOWN])
        more = len(by_scan) - REASONS_SHOWN
        first += f"; and {more} more, shown as failed partitions" if more > 0 else ""
        said = [f"{len(by_scan)} of {self.scans} scans failed: {first}"] if by_scan else []
        if self.waiting:
            said.append(
                f"{len(self.waiting)} still waiting at the vendor, nothing to do: the collect"
                " sensor will materialize them"
            )
        return dg.Failure(
            ". ".join(said),
            metadata={
                "failed": dg.MetadataValue.json(dict(list(by_scan.items())[:FAILURES_SHOWN])),
                "waiting": dg.MetadataValue.json(self.waiting[:FAILURES_SHOWN]),
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
        self._shower = Shower(context, slice_, pipeline, planned=planned)
        self._new_generation = context.run.tags.get(NEW_GENERATION_TAG, "").lower() == "true"

    async def run(self, partition_keys: Sequence[str]) -> Result:
        """Order, wait and show; never raises for a scan that fails."""
        result = Result(len(partition_keys))
        scans = await self._find(partition_keys, result)
        outcomes = await self._request(scans, result)
        sealed = [scan for scan in scans if outcomes.get(scan.id) == Requested.SEALED]
        await self._reread(sealed, result)
        under_way = (Requested.QUEUED, Requested.OPEN)
        open_scans = [scan for scan in scans if outcomes.get(scan.id) in under_way]
        waiting = await self._wait(open_scans)
        await self._show_rest(scans, {scan.id for scan in waiting}, result)
        result.waiting = [scan.key.partition_key for scan in waiting]
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
        if scan.state == ScanState.FAILED:
            return retry(tx, self._pipeline.vendor, scan, queue_class=QueueClass.HAND)
        kinds = self._kinds
        return request(
            tx,
            self._pipeline.vendor,
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
        if self._orders_only:
            return
        gate = asyncio.Semaphore(REREADS_AT_ONCE)

        async def one(scan: Scan) -> None:
            async with gate:
                problems = await reread(self._pipeline, scan)
            if problems:
                self._fail(result, scan.key.partition_key, "; ".join(problems[:5]))

        await asyncio.gather(*map(one, sealed))

    async def _wait(self, scans: Sequence[Scan]) -> list[Scan]:
        ids = [scan.id for scan in scans]
        if self._orders_only or not ids:
            await self._show(ids)
            return []
        return await drive(
            self._pipeline,
            ids,
            kinds=self._kinds or [kind.name for kind in self._slice.kinds],
            wants_bag=describe.BAG in self._selected,
            seconds=self._pipeline.settings.run_wait,
            show=lambda: self._show(ids),
        )

    async def _show(self, scan_ids: Sequence[int]) -> None:
        if scan_ids:
            await self._shower.show(scan_ids, self._selected)

    async def _show_rest(
        self, scans: Sequence[Scan], waiting: Collection[int], result: Result
    ) -> None:
        """Show what this run did not settle itself: a range run must speak of every key."""
        result.failed |= {name: why for name, why in self._shower.settled.items() if why}
        spoken = {*self._shower.settled, *result.failed}
        for scan in scans:
            for asset in self._selected:
                name = scan.key.partition_key, asset
                if name not in spoken:
                    failure = await self._show_as_it_stands(scan, asset)
                    if failure and scan.id not in waiting:
                        result.failed[name] = failure

    async def _show_as_it_stands(self, scan: Scan, asset: str) -> str:
        """Show an asset from the ledger; return why it cannot be shown as materialized."""
        current, shown = await self._pipeline.ledger.look(_as_it_stands, scan.id, asset)
        if shown is None:
            settled = current.state in (ScanState.FAILED, ScanState.EXPIRED)
            unordered = f"{asset} is not ordered for this scan: materialize `order` with it"
            return f"{current.state}: {current.reason}" if settled else unordered
        status, facts = shown
        self._shower.log(current, asset, status, facts)
        return str(facts["reason"]) if status == reports.FAILED else ""


def _as_it_stands(tx: Tx, scan_id: int, asset: str) -> tuple[Scan, describe.Shown | None]:
    scan = registry.by_id(tx, scan_id)
    return scan, describe.describe(tx, scan, asset)
