"""`verify`: reread sealed bags."""

import asyncio
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from export_pipeline.archive.fixity import FixityReport
from export_pipeline.archive.signature import Keys
from export_pipeline.cli.home import OpenHome, open_home
from export_pipeline.cli.options import Account, AsJson, Home, ScanIds, Vendor, examples
from export_pipeline.cli.output import complain, console, emit, note, plain, plural, say, size
from export_pipeline.workflow.auditing.chosen import Wanted, choose
from export_pipeline.workflow.auditing.inventory import note_problems, take_inventory
from export_pipeline.workflow.auditing.verify import Auditor, Finding

EPILOG = examples(
    "export-pipeline verify essay-1 essay-2",
    "export-pipeline verify --all --newest",
    "export-pipeline verify --sample 5% --seed 7 --json",
)
RUN_ID_BYTES = 4
SEEDS = 1_000_000
WHOLE_PERCENT = 100
NOTHING = "nothing was verified: the ledger has no sealed bag of what was asked for"
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)%?")


def verify(
    *,
    scan_ids: ScanIds = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every sealed bag, and what else lies in the store.")
    ] = False,
    part: Annotated[
        str | None,
        typer.Option("--sample", metavar="N%", help="A random part of all bags, rounded up."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="N", help="Choose the same part again.  [default: another each time]"
        ),
    ] = None,
    newest: Annotated[
        bool,
        typer.Option("--newest", help="Only the newest generation of each scan, not older ones."),
    ] = False,
    vendor: Vendor = None,
    account: Account = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Reread every byte of sealed bags, of the scans named, of all, or of a sample.

    Each file is compared with the bag's checksums, the seal with the ledger's record of it, and a
    signature with the keys of EXPORT_SIGNING_KEY and EXPORT_SIGNING_PUBLIC_KEYS. With --all, what
    lies in the store and belongs to no bag is named too. What was found is kept, in the ledger
    and in the store; nothing is repaired. The exit code is 1 if anything is changed, missing or
    untracked, or if a seal or a signature does not hold.
    """
    names = list(dict.fromkeys(scan_ids or []))
    if [bool(names), every, part is not None].count(True) != 1:
        raise typer.BadParameter("name scans, or ask for --all or for --sample", param_hint="ID")
    if seed is not None and part is None:
        raise typer.BadParameter("goes with --sample", param_hint="--seed")
    wanted = Wanted(
        names=names,
        percent=_percent(part) if part is not None else None,
        seed=secrets.randbelow(SEEDS) if seed is None else seed,
        newest=newest,
        vendor=vendor,
        account=account,
    )
    with open_home(home, account, vendor) as there:
        report = asyncio.run(_verify(there, wanted, is_shown=not as_json))
    if as_json:
        facts = {"bags": report.bags, "files": report.files, "bytes": report.bytes}
        facts |= {"seed": wanted.seed} if wanted.percent else {}
        failed = [one.prefix for one in report.failed]
        problems = {"problems": report.problems, "unkept": report.unkept}
        emit({**facts, "failed": failed, **report.names, **problems})
    else:
        _tell(report, wanted)
    if report.problems or report.unkept:
        raise typer.Exit(1)


def _percent(text: str) -> float:
    found = _PERCENT.fullmatch(text)
    percent = float(found[1]) if found else 0.0
    if not 0 < percent <= WHOLE_PERCENT:
        raise typer.BadParameter(f"{text!r} is no part: write 5% or 0.5%", param_hint="--sample")
    return percent


async def _verify(home: OpenHome, wanted: Wanted, *, is_shown: bool) -> FixityReport:
    chosen = await choose(home.ledger, wanted)
    run_id = secrets.token_hex(RUN_ID_BYTES)
    with _progress(chosen.count, is_shown=is_shown) as tell:
        auditor = Auditor(home.ledger, home.store, Keys.of(home.settings), run_id, tell=tell)
        report = await auditor.audit(chosen.bags)
        if wanted.is_everything:
            found = await take_inventory(home.ledger, home.store)
            await note_problems(home.ledger, found, report)
            report.elsewhere += found.problems
    report.elsewhere += chosen.unsealed
    if not (chosen.count or chosen.unsealed):
        report.elsewhere.append(NOTHING)
    return report


@contextmanager
def _progress(count: int, *, is_shown: bool) -> Iterator[Callable[[Finding], None]]:
    """Tell each finding at once; on a terminal also how far it is."""
    screen = console(stderr=True)
    columns = (TextColumn("rereading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    disabled = not (is_shown and screen.is_terminal)
    with Progress(*columns, console=screen, disable=disabled, transient=True) as bar:
        task = bar.add_task("", total=count)

        def tell(finding: Finding) -> None:
            bar.advance(task)
            for problem in finding.report.problems if is_shown else ():
                screen.print(plain(problem), style="red", soft_wrap=True)

        yield tell


def _tell(report: FixityReport, wanted: Wanted) -> None:
    for problem in (*report.elsewhere, *report.unkept):
        complain(problem)
    read = f"{plural(report.files, 'file')}, {size(report.bytes)}"
    say(f"{plural(report.bags, 'bag')} reread ({read}), {len(report.failed):,} failed")
    if wanted.percent:
        note(f"--seed {wanted.seed} draws the same again")
