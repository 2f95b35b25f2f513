"""`retry`: queue again what failed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from export_pipeline.cli.home import OpenHome, open_home
from export_pipeline.cli.options import Account, AsJson, Home, ScanIds, Vendor, examples
from export_pipeline.cli.output import complain, emit, plural, say, show_table
from export_pipeline.ledger import registry
from export_pipeline.ledger.rows import Scan, ScanState
from export_pipeline.workflow.drive import drive
from export_pipeline.workflow.history import find_named
from export_pipeline.workflow.order import Requested
from export_pipeline.workflow.retry import in_states, retry_scan

EPILOG = examples(
    "export-pipeline retry",
    "export-pipeline retry essay-1 essay-2",
    "export-pipeline retry --new-generation essay-3",
)
WAIT_SECONDS = 60.0
UNDER_WAY = (Requested.QUEUED, Requested.OPEN)
LOST = (ScanState.FAILED, ScanState.EXPIRED)


def retry(
    *,
    scan_ids: ScanIds = None,
    new_generation: Annotated[
        bool,
        typer.Option(
            "--new-generation",
            help="Take sealed scans too: partial ones go on in a new generation, in which only"
            " what is missing is ordered; an archived one, if you name it, is ordered once more"
            " as a whole. What is sealed stays as it is.",
        ),
    ] = False,
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            min=0,
            metavar="SECONDS",
            help="Send and collect them right here for so long; the daemon goes on with the rest."
            " 0 only queues them.",
        ),
    ] = WAIT_SECONDS,
    vendor: Vendor = None,
    account: Account = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Order failed scans again, all or those named, before everything else in the queue.

    Only what is missing is ordered; nothing that arrived is ordered or moved again. The exit code
    is 1 if one of them is failed or expired then, or was named and is partial.
    """
    with open_home(home, account, vendor) as there:
        outcomes = asyncio.run(_retry(there, scan_ids or [], account, vendor, new_generation, wait))
    queued = sum(retried.outcome == Requested.QUEUED for retried in outcomes)
    if as_json:
        emit({"queued": queued, "scans": [retried.facts() for retried in outcomes]})
    else:
        _show(outcomes, queued)
    partial = [one.scan for one in outcomes if scan_ids and one.scan.state == ScanState.PARTIAL]
    if partial and not new_generation:
        complain(
            f"{', '.join(str(scan.key) for scan in partial)}: sealed without what is missing;"
            " --new-generation orders that"
        )
    if partial or any(one.scan.state in LOST for one in outcomes):
        raise typer.Exit(1)


def _show(outcomes: Sequence["Retried"], queued: int) -> None:
    rows = [tuple(retried.facts().values()) for retried in outcomes]
    if rows:
        show_table("", ("vendor", "scan", "account", "outcome", "state", "reason"), rows)
    say(f"{plural(queued, 'scan')} queued")


@dataclass(frozen=True)
class Retried:
    """A scan, what the request for it came to, and where it stands now."""

    scan: Scan
    outcome: str

    def facts(self) -> dict[str, str]:
        """What is told of it."""
        return {
            "vendor": self.scan.vendor,
            "scan": self.scan.scan,
            "account": self.scan.account,
            "outcome": str(self.outcome),
            "state": self.scan.state,
            "reason": self.scan.reason,
        }


async def _retry(
    home: OpenHome,
    names: list[str],
    account: str | None,
    vendor: str | None,
    new_generation: bool,  # noqa: FBT001  private
    wait: float,
) -> list[Retried]:
    chosen = [scan async for scan in _chosen(home, names, account, vendor, new_generation)]
    outcomes = {
        scan.id: await retry_scan(
            home.pipeline(scan.vendor), scan, new_generation=new_generation, named=bool(names)
        )
        for scan in chosen
    }
    under_way = [scan for scan in chosen if outcomes[scan.id] in UNDER_WAY]
    if wait:
        await _drive(home, under_way, wait)
    now = await home.ledger.look(registry.by_ids, [scan.id for scan in chosen])
    return [Retried(scan, outcomes[scan.id]) for scan in now]


async def _drive(home: OpenHome, scans: Sequence[Scan], seconds: float) -> None:
    for vendor in {scan.vendor for scan in scans}:
        pipeline = home.pipeline(vendor)
        ids = [scan.id for scan in scans if scan.vendor == vendor]
        try:
            await drive(pipeline, ids, kinds=(), wants_bag=True, seconds=seconds, show=_silent)
        finally:
            await pipeline.vendor.aclose()


async def _silent() -> None:
    """Dagster is shown what was settled by its own collect job."""


async def _chosen(
    home: OpenHome,
    names: list[str],
    account: str | None,
    vendor: str | None,
    new_generation: bool,  # noqa: FBT001
) -> AsyncIterator[Scan]:
    for name in dict.fromkeys(names):
        yield await home.ledger.look(find_named, name, account, vendor)
    if names:
        return
    states = [ScanState.FAILED, *([ScanState.PARTIAL] if new_generation else [])]
    async for scan in in_states(home.ledger, states, account, vendor):
        yield scan
