"""`verify`: reread sealed bags."""

import asyncio
from typing import Annotated

import typer

from export_pipeline.archive.fixity import FixityReport
from export_pipeline.cli.home import OpenHome, open_home
from export_pipeline.cli.options import Account, AsJson, Home, ScanIds, Vendor, examples
from export_pipeline.cli.output import complain, emit, plural, say, size
from export_pipeline.workflow.history import find_named
from export_pipeline.workflow.verify import verify_all, verify_scan

EPILOG = examples("export-pipeline verify", "export-pipeline verify essay-1 --all --json")


def verify(
    *,
    scan_ids: ScanIds = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Older generations too, not the newest of each scan alone."),
    ] = False,
    vendor: Vendor = None,
    account: Account = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Reread every byte of sealed bags, of the scans named or of all, and say what is wrong.

    Each file is compared with the bag's checksums, and the bag with the ledger. The exit code is
    1 if anything is changed, missing or untracked.
    """
    with open_home(home) as there:
        report = asyncio.run(_verify(there, scan_ids or [], account, vendor, newest=not every))
    if as_json:
        facts = {"bags": len(report.audited), "files": report.files, "bytes": report.bytes}
        emit({**facts, "failed": report.failed, "problems": report.problems})
    else:
        for problem in report.problems:
            complain(problem)
        read = f"{plural(report.files, 'file')}, {size(report.bytes)}"
        say(f"{plural(len(report.audited), 'bag')} reread ({read}), {len(report.failed):,} failed")
    if report.problems:
        raise typer.Exit(1)


async def _verify(
    home: OpenHome, names: list[str], account: str | None, vendor: str | None, *, newest: bool
) -> FixityReport:
    if not names:
        return await verify_all(home.ledger, home.store, newest=newest)
    total = FixityReport(complete=True)
    scans = [
        await home.ledger.look(find_named, name, account, vendor) for name in dict.fromkeys(names)
    ]
    for scan in scans:
        await verify_scan(home.ledger, home.store, scan, newest=newest, total=total)
    return total
