"""`catalog`: where the list of everything archived lies, written now, or made anew."""

import asyncio
import secrets
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from export_pipeline.archive.catalog import Snapshot, newest, write_catalog
from export_pipeline.cli.home import OpenHome, open_home
from export_pipeline.cli.options import AsJson, Home, examples
from export_pipeline.cli.output import complain, emit, note, plural, say, size
from export_pipeline.concurrency import run_batch
from export_pipeline.errors import NotFound
from export_pipeline.workflow.rebuilding.rebuild import rebuild
from export_pipeline.workflow.rebuilding.rebuilt import Names, Rebuilt

RUN_ID_BYTES = 4
PROGRESS_SECONDS = 10.0
"""Between two words on how far a rebuilding is."""
NAMES_SHOWN = 20
"""Folders of a kind that are printed; `--json` has more."""
UNREGISTERED = (
    "What was registered and not sealed is not in the store: bring it back with `export-pipeline"
    " scans import` or `inbox import`, or let discovery find it."
)

app = typer.Typer(
    rich_markup_mode=None,
    invoke_without_command=True,
    help="Print where the catalog lies; write one, or make it anew.\n\nIt is a Parquet table in the"
    " store with a row per archived artifact, written every night by the asset archive/catalog;"
    " older ones are kept beside it.",
    epilog=examples("export-pipeline catalog", "export-pipeline catalog --json | jq -r .location"),
)


@app.callback()
def show(context: typer.Context, *, home: Home = None, as_json: AsJson = False) -> None:
    """Print where the newest catalog lies."""
    if context.invoked_subcommand is not None:
        if home is not None or as_json:
            raise typer.BadParameter(f"put options after `{context.invoked_subcommand}`")
        return
    with open_home(home) as there:
        found = asyncio.run(newest(there.store, datetime.now(UTC)))
        if found is None:
            raise NotFound(
                f"{there.store.url} has no catalog yet: write one with `export-pipeline catalog"
                " write`"
            )
        location = _location(there, found.key)
    if as_json:
        emit({"location": location, "key": found.key, "bytes": found.size})
    else:
        say(location)


def _location(home: OpenHome, key: str) -> str:
    return f"{home.store.url.rstrip('/')}/{key}"


@app.command(
    epilog=examples("export-pipeline catalog write", "export-pipeline catalog write --json")
)
def write(*, home: Home = None, as_json: AsJson = False) -> None:
    """Write a catalog of what is archived now, beside the older ones, and print where it lies."""
    with open_home(home) as there:
        made = asyncio.run(_write(there))
        if as_json:
            emit(_facts(there, made))
        else:
            _tell(there, made)


async def _write(home: OpenHome) -> Snapshot:
    run_id = secrets.token_hex(RUN_ID_BYTES)
    return await write_catalog(home.ledger, home.store, datetime.now(UTC), run_id)


def _facts(home: OpenHome, made: Snapshot) -> dict[str, Any]:
    counts = [
        {"vendor": vendor, "status": status, "rows": rows}
        for (vendor, status), rows in sorted(made.rows.items())
    ]
    location = _location(home, made.key)
    return {"location": location, "key": made.key, "bytes": made.size, "rows": counts}


def _tell(home: OpenHome, made: Snapshot) -> None:
    say(_location(home, made.key))
    note(f"{plural(made.rows.total(), 'row')}, {size(made.size)}")


@app.command(
    "rebuild",
    epilog=examples(
        "export-pipeline check --init",
        "export-pipeline catalog rebuild --dry-run",
        "export-pipeline catalog rebuild",
    ),
)
def rebuild_(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what the ledger lacks; write nothing.")
    ] = False,
    show_in_dagster: Annotated[
        bool,
        typer.Option(
            "--show-in-dagster",
            help="Have Dagster show again what is added, as many scans as EXPORT_ACTIVE_SCANS:"
            " where its own storage is lost too.",
        ),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make the ledger and the catalog anew from the store alone.

    An empty ledger (`check --init` makes one) gets every sealed scan with its generations,
    artifacts, orders and events, what audits found, holds and tombstones; one that has rows gets
    what it lacks, and keeps what it has. Only tag files are read, not the payload, and each is
    compared with the seal (`verify` judges payload and signatures). Interrupted, it goes on when
    it is started again. The exit code is 1 if a person must look at something.
    """
    with open_home(home) as there:
        shown = there.settings.active_scans if show_in_dagster else 0
        done, made = run_batch(_rebuild(there, dry_run=dry_run, show=shown))
        if as_json:
            emit({**asdict(done), "catalog": None if made is None else _facts(there, made)})
        else:
            _tell_rebuilt(done, dry_run=dry_run)
            if made is not None:
                _tell(there, made)
    if done.needs_person:
        raise typer.Exit(1)


async def _rebuild(home: OpenHome, *, dry_run: bool, show: int) -> tuple[Rebuilt, Snapshot | None]:
    told = time.monotonic()
    done = Rebuilt()
    async for done in rebuild(
        home.ledger,
        home.store,
        home.vendors,
        tombstone_secret=home.settings.tombstone_secret,
        dry_run=dry_run,
        show=show,
    ):
        if time.monotonic() - told >= PROGRESS_SECONDS:
            note(f"{plural(done.bags, 'bag')} read, {done.added:,} of them new to the ledger")
            told = time.monotonic()
    return done, None if dry_run else await _write(home)


def _tell_rebuilt(done: Rebuilt, *, dry_run: bool) -> None:
    would = "would be added" if dry_run else "added"
    say(
        f"{plural(done.bags, 'sealed bag')} read; of {plural(done.scans, 'scan')}"
        f" {plural(done.added, 'bag')} {would}"
    )
    beside = (done.audits, "audit"), (done.holds, "hold"), (done.tombstones, "tombstone")
    say(f"{', '.join(plural(count, noun) for count, noun in beside)} in the store")
    if done.shown:
        say(f"{plural(done.shown, 'scan')} will be shown in Dagster by the collect jobs")
    _name(done.unsealed, "without a seal, left as it is: register and order the scan again")
    _name(done.unreadable, "left out: bring its files back from a copy of the store")
    _name(done.lost, "lost, or without a seal: bring them back from a copy of the store")
    _name(done.differing, "left as the ledger has it: set this ledger aside and rebuild anew")
    _name(done.forgotten, "not brought back: `export-pipeline forget` it once more")
    if not done.is_told:
        complain(
            "EXPORT_TOMBSTONE_KEY is not the key of the tombstones, so that forgotten scans cannot"
            " be told from others: set it, and rebuild into a new ledger"
        )
    note(UNREGISTERED)


def _name(names: Names, what: str) -> None:
    for folder, word in names.kept[:NAMES_SHOWN]:
        complain(f"{folder}: {word}")
    if names.count:
        complain(f"{names.count:,} {what}")
