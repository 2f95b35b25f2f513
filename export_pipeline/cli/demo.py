"""`demo`: the whole way at once, to see it."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from export_pipeline.cli.options import AsJson, examples
from export_pipeline.cli.output import complain, console, emit, note, plural, say, show_table, size
from export_pipeline.demo.home import VARIABLES_FILE, DemoHome, Storage
from export_pipeline.demo.interrupts import Interrupts
from export_pipeline.demo.progress import Progress, read_progress
from export_pipeline.demo.scans import bring_in, remembered, share
from export_pipeline.demo.servers import PACE, Servers, running_servers
from export_pipeline.demo.summary import Summary, read_summary
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.home import open_ledger
from export_pipeline.scans import ScanKey
from export_pipeline.settings import Settings

EPILOG = examples(
    "export-pipeline demo",
    "export-pipeline demo --scans 100 --keep",
    "export-pipeline demo --storage s3 --json",
)
LOOK_SECONDS = 0.5
LINE_SECONDS = 3.0
"""Between two lines of progress where no terminal shows it."""
BAR_COLUMNS = 40
INTERRUPTED = 130
"""Exit code of what Ctrl-C ended, as shells have it."""

Show = Callable[[Progress, bool], None]
"""Given too whether Dagster's page can be opened yet."""


def demo(
    *,
    scans: Annotated[
        int,
        typer.Option(
            "--scans",
            metavar="N",
            min=1,
            help="Scans; hard ones from 9 on, of every vendor from 12.",
        ),
    ] = 25,
    home: Annotated[
        Path | None,
        typer.Option(
            "--home",
            metavar="DIR",
            help="Home folder: a new one, or one that a demo made.  [default: a new folder"
            " among the temporary files, which is kept]",
        ),
    ] = None,
    storage: Annotated[
        Storage | None,
        typer.Option(
            "--storage",
            help="The archive on this disk, or in an S3 service that the demo starts (SeaweedFS),"
            " into which the vendor writes by signed URLs.  [default: disk, or what the home has]",
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave Dagster's page open until Ctrl-C.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=1, help="When to give up.")
    ] = 600,
    as_json: AsJson = False,
) -> None:
    """Archive sample scans end to end on this machine, with nothing set up.

    Starts the sandbox (vendors that behave as documented), the receiver, and Dagster with all its
    sensors; has the sandbox complete the scans, as a vendor would; shows how they are ordered,
    received, verified and sealed; then says what became of each, and stops everything. Among the
    scans are hard ones: thousands of results, lost answers, lost and repeated webhooks.

    The home stays, and other commands work on it. The exit code is 0 only if every scan is
    archived, or partial with its reason shown.
    """
    there = DemoHome(home or Path(tempfile.mkdtemp(prefix="export-pipeline-demo-")))
    tell = note if as_json else say
    try:
        with there.held(storage), Interrupts() as interrupts:
            tell(f"home {there.path}")
            good = _run(there, scans, timeout, interrupts, keep=keep, as_json=as_json)
    except KeyboardInterrupt:
        complain("interrupted before every scan was settled: everything is stopped")
        raise typer.Exit(INTERRUPTED) from None
    if not good:
        raise typer.Exit(1)


def _run(
    home: DemoHome,
    count: int,
    timeout: float,
    interrupts: Interrupts,
    *,
    keep: bool,
    as_json: bool,
) -> bool:
    started = time.monotonic()
    with (
        closing(open_ledger(home.settings.ledger_url)) as ledger,
        running_servers(home, interrupts.pause) as servers,
    ):
        others = share(count, servers.examples)
        settings = Settings.from_env(servers.variables, home.path)
        made = [*servers.complete_scans(count - len(others)), *others]
        keys = remembered(settings, ledger, made)
        bring_in(settings, ledger, others)
        with _showing(console(stderr=as_json), len(keys), started) as show:
            last = _watch(ledger, keys, servers, interrupts, started + timeout, show)
        seconds = time.monotonic() - started
        with ledger.read() as tx:
            summary = read_summary(tx, keys, archive=servers.archive, seconds=seconds)
        _tell(home, summary, keep=keep, as_json=as_json)
        if not last.is_done:
            complain(
                f"gave up after {timeout:.0f} s with {plural(len(keys) - last.settled, 'scan')} not"
                f" settled and {plural(last.unshown, 'thing')} not shown in Dagster: {home.logs}"
                " tells what each server did"
            )
        # What is told stands, whatever ends the demo from here on.
        with suppress(KeyboardInterrupt):
            if keep:
                _keep(home, keys, servers, interrupts)
            elif last.is_done:
                note("stopping once Dagster's runs have ended")
                servers.wait_for_runs(interrupts.pause)
    return last.is_done and summary.is_good


def _watch(
    ledger: Ledger,
    keys: Sequence[ScanKey],
    servers: Servers,
    interrupts: Interrupts,
    end: float,
    show: Show,
) -> Progress:
    """Show progress until everything is settled and shown in Dagster, or until time `end`."""
    has_ui = False
    while True:
        servers.require_running()
        has_ui = has_ui or servers.has_ui()
        with ledger.read() as tx:
            progress = read_progress(tx, keys)
        show(progress, has_ui)
        if progress.is_done or time.monotonic() >= end:
            return progress
        interrupts.pause(LOOK_SECONDS)


@contextmanager
def _showing(out: Console, count: int, started: float) -> Iterator[Show]:
    """Show progress in place on a terminal, as a line now and then elsewhere."""
    if out.is_terminal:
        with Live(console=out, auto_refresh=False) as live:
            yield lambda progress, has_ui: live.update(
                _panel(progress, has_ui, count, time.monotonic() - started), refresh=True
            )
        return
    last = 0.0

    def line(progress: Progress, has_ui: bool) -> None:  # noqa: FBT001  as `Show` has it
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_SECONDS or progress.is_done:
            last = now
            facts = "; ".join(f"{name} {text}" for name, text in _facts(progress, has_ui).items())
            out.print(f"{now - started:3.0f} s  {facts}", soft_wrap=True)

    yield line


def _facts(progress: Progress, has_ui: bool) -> dict[str, str]:  # noqa: FBT001
    per_minute = PACE.copyleaks.limits.exports_per_minute
    states = [f"{number:,} {state}" for state, number in progress.states.items()]
    shown = f"{progress.unshown:,} still to show" if progress.unshown else "up to date"
    return {
        "scans": ", ".join(states),
        "artifacts": f"{progress.files:,} sealed, {size(progress.size)}",
        "orders": f"{progress.sent:,} of {progress.orders:,} sent, quota {per_minute:,} a minute",
        "Dagster": shown if has_ui else "starting",
    }


def _panel(progress: Progress, has_ui: bool, count: int, seconds: float) -> Table:  # noqa: FBT001
    table = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=count, completed=progress.settled, width=BAR_COLUMNS)
    table.add_row(f"{seconds:.0f} s", bar)
    for name, text in _facts(progress, has_ui).items():
        table.add_row(name, text)
    return table


def _tell(home: DemoHome, summary: Summary, *, keep: bool, as_json: bool) -> None:
    if as_json:
        emit(asdict(summary))
        sys.stdout.flush()
        return
    rows: list[tuple[str, object]] = [
        ("scans", f"{summary.scans:,}"),
        ("archived", f"{summary.archived:,}"),
        ("partial", f"{summary.partial:,}"),
        ("failed", f"{summary.failed:,}"),
        ("artifacts", f"{summary.artifacts:,}, {size(summary.bytes)}"),
        ("seconds", summary.seconds),
        ("archive", summary.archive),
        ("logs", home.logs),
    ]
    say("")
    show_table("", ("", ""), rows)
    if summary.problems:
        problems = [(problem.scan, problem.reason) for problem in summary.problems]
        show_table("not archived whole", ("scan", "reason"), problems)
    say("")
    say(f"Look at a scan:  export-pipeline scans list --home {home.path}")
    if not keep:
        say(f"See it in Dagster:  export-pipeline demo --home {home.path} --keep")
    if home.storage == "s3":
        env = home.path / VARIABLES_FILE
        say(f"Download its files, while the demo runs:  . {env} && export-pipeline link ID")


def _keep(
    home: DemoHome, keys: Sequence[ScanKey], servers: Servers, interrupts: Interrupts
) -> None:
    servers.wait_for_ui(interrupts.pause)
    ui, one = servers.ui_url, keys[0]
    bag = f"{ui}/assets/{one.vendor}/bag?view=partitions&partition={one.partition_key}"
    note("")
    note(f"Asset graph:    {ui}/asset-groups")
    note(f"A scan's bag:   {bag}")
    note(f"Runs:           {ui}/runs")
    note(f"Other commands: . {home.path / VARIABLES_FILE}  in another shell")
    note(f"{plural(len(servers.children), 'server')} run until Ctrl-C")
    while True:
        servers.require_running()
        interrupts.pause(LOOK_SECONDS)
