"""`scans`: import, list, show, activate."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from export_pipeline.cli.files import opened, tell_imported
from export_pipeline.cli.history import show_history
from export_pipeline.cli.home import open_home
from export_pipeline.cli.options import (
    Account,
    AsJson,
    File,
    Home,
    ScanId,
    State,
    Vendor,
    examples,
    vendor_option,
)
from export_pipeline.cli.output import emit, moment, note, plural, say, show_table
from export_pipeline.ledger import admission, summary, troubles
from export_pipeline.ledger.rows import Scan
from export_pipeline.scans import DEFAULT_ACCOUNT
from export_pipeline.vendors.copyleaks import VENDOR
from export_pipeline.workflow.formats import format_of
from export_pipeline.workflow.history import find_named, read_history
from export_pipeline.workflow.importing import Imported, import_scans, require_account

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Register scans and look at them."
)


@app.command(
    "import",
    epilog=examples(
        "export-pipeline scans import old-scans.csv",
        """echo '{"scan": "essay-1", "result_ids": ["2a1b402420"], "pdf_report": true}' \\""",
        "  | export-pipeline scans import - --json",
    ),
)
def import_(
    *,
    file: File,
    vendor: Annotated[str, vendor_option("Whose lines these are.")] = VENDOR,
    account: Annotated[
        str, typer.Option("--account", metavar="NAME", help="Whose scans, where no line says.")
    ] = DEFAULT_ACCOUNT,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Register the scans of a file; nothing is ordered yet.

    The first line tells the form: CSV begins with a header of column names (commas, semicolons or
    tabs between them), JSON lines with {; in any other file each line is one scan id as it is.

    Columns or members: scan (the id), and where known account and expires_at (ISO 8601 or seconds
    since 1970). Of Copyleaks also result_ids (apart by spaces or semicolons, or a JSON list; []
    says that there are none) and pdf_report, ai_detection, writing_feedback, overview (true or
    false: whether the scan has it); those of other vendors stand in the README. What is empty is
    unknown.

    A scan that is there already learns what is new. Lines that cannot be used are reported by
    number, the others are kept; then the exit code is 1.
    """
    imported = Imported()
    with open_home(home) as there, opened(file) as stream:
        require_account(account)
        form = format_of(vendor)
        secret = there.settings.tombstone_secret
        import_scans(there.ledger, form, stream, account=account, secret=secret, imported=imported)
        tell_imported(imported, there, vendor, as_json=as_json)


@app.command(
    "list",
    epilog=examples(
        "export-pipeline scans list --state failed",
        "export-pipeline scans list --account team-b --limit 20 --json",
    ),
)
def list_(
    *,
    state: State = None,
    vendor: Vendor = None,
    account: Account = None,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Only those of which an audit found damage.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Most scans to list.")
    ] = 100,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List scans in the order in which they were registered."""
    with open_home(home, account, vendor) as there, there.ledger.read() as tx:
        states = [] if state is None else [state]
        found = summary.find_scans(
            tx, states=states, vendor=vendor, account=account, damaged=damaged, limit=limit + 1
        )
        shown, more = found[:limit], len(found) > limit
        damage = troubles.damage(tx, [scan.id for scan in shown])
    if as_json:
        every = [_as_json(scan, damage.get(scan.id, [])) for scan in shown]
        emit({"scans": every, "more": more})
        return
    headers = (
        "scan",
        "vendor",
        "account",
        "state",
        "generation",
        "registered",
        "expires",
        "reason",
    )
    show_table("", headers, [_as_row(scan, damage.get(scan.id, [])) for scan in shown])
    if more:
        note(f"only the first {plural(limit, 'scan')}: raise --limit for more")


def _as_json(scan: Scan, damage: Sequence[str]) -> dict[str, Any]:
    facts = asdict(scan) | {"damage": "\n".join(damage)}
    return {name: value for name, value in facts.items() if name not in ("id", "details")}


def _as_row(scan: Scan, damage: Sequence[str]) -> tuple[object, ...]:
    more = f" and {len(damage) - 1:,} more" if len(damage) > 1 else ""
    found = [f"damaged: {damage[0]}{more}"] if damage else []
    times = (moment(scan.registered_at), moment(scan.expires_at))
    return (
        scan.scan,
        scan.vendor,
        scan.account,
        scan.state.value,
        scan.generation,
        *times,
        "; ".join([*found, *([scan.reason] if scan.reason else [])]),
    )


@app.command(
    short_help="Show a scan's whole history.",
    epilog=examples(
        "export-pipeline scans show essay-1",
        """export-pipeline scans show 'a/../b%2f;:"<x>' --account team-b --json""",
    ),
)
def show(
    *,
    scan_id: ScanId,
    vendor: Vendor = None,
    account: Account = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show a scan's whole history: generations, orders, artifacts, events."""
    with open_home(home, account, vendor) as there, there.ledger.read() as tx:
        history = read_history(tx, find_named(tx, scan_id, account, vendor))
    if as_json:
        emit(asdict(history))
    else:
        show_history(history)


@app.command(
    short_help="Bring a scan into Dagster's UI.",
    epilog=examples("export-pipeline scans activate essay-1"),
)
def activate(
    *, scan_id: ScanId, vendor: Vendor = None, account: Account = None, home: Home = None
) -> None:
    """Bring a scan into Dagster's UI at the next tick, whatever its age and state."""
    with open_home(home, account, vendor) as there, there.ledger.write() as tx:
        scan = find_named(tx, scan_id, account, vendor)
        admission.activate(tx, scan.id)
    when = "is" if scan.admitted_at is not None else "appears at the next tick"
    say(f"{scan.key} {when} in the UI as the partition {scan.key.partition_key}")
