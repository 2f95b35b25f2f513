"""`fetch`: sealed bags copied into a folder of this machine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

from export_pipeline.archive.fetch import Fetched, WantedBag
from export_pipeline.archive.fetch import fetch as fetch_bags
from export_pipeline.cli.home import read_settings, require_account
from export_pipeline.cli.options import (
    Account,
    AsJson,
    Generation,
    Home,
    ScanIds,
    Vendor,
    examples,
)
from export_pipeline.cli.output import complain, console, emit, note, plural, say, size
from export_pipeline.errors import BadInput, NoLedger, UnknownScan
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.home import open_ledger
from export_pipeline.storage.open import open_store
from export_pipeline.storage.store import Store
from export_pipeline.transfer.folder import Folder
from export_pipeline.vendors.open import open_vendors
from export_pipeline.workflow.fetch import Wanted

EPILOG = examples(
    "export-pipeline fetch essay-1 --to evidence",
    "export-pipeline fetch --all --vendor copyleaks --to /mnt/evidence",
    "bagit.py --validate evidence/copyleaks/default/essay-1/1",
)


def fetch(
    *,
    scan_ids: ScanIds = None,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="The folder; it is made if need be.")
    ],
    every: Annotated[
        bool, typer.Option("--all", help="Every scan of which something is sealed.")
    ] = False,
    generation: Generation = None,
    vendor: Vendor = None,
    account: Account = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Copy sealed bags to DIR/<vendor>/<account>/<scan>/<generation>/, for any BagIt tool to read.

    A file is there under its name only once its sha256 is the one under which it was sealed. Run it
    again after an interruption: what is there is kept, what was begun goes on where it stopped.
    What is damaged in the archive is put beside the bag, into a folder that ends in .damaged.

    Where the ledger is lost, the store alone is searched: then name the vendor, and the account
    unless it is the default one. The exit code is 1 if anything is not in DIR whole.
    """
    names = list(dict.fromkeys(scan_ids or []))
    if bool(names) == every:
        raise typer.BadParameter("name the scans, or all of them by --all", param_hint="ID")
    if every and generation is not None:
        raise typer.BadParameter("not with --all", param_hint="--generation")
    folder = Folder(to)
    with _archive(home, account, vendor) as (ledger, store):
        wanted = Wanted(ledger, store, vendor, account, generation)
        fetched = asyncio.run(_fetch(wanted, names, folder, is_shown=not as_json))
    if as_json:
        emit({"to": str(to), **asdict(fetched)})
    else:
        _tell(fetched, to)
    if fetched.problems:
        raise typer.Exit(1)


@contextmanager
def _archive(
    home: Path | None, account: str | None, vendor: str | None
) -> Iterator[tuple[Ledger | None, Store]]:
    """Open the store, and the ledger if there is one: only that knows every account."""
    settings = read_settings(home)
    store = open_store(settings.storage_url, settings.storage_variables)
    try:
        ledger = open_ledger(settings.ledger_url)
    except NoLedger as error:
        note(f"{error}. Now {store.url} alone is searched")
        yield None, store
        return
    try:
        require_account(ledger, open_vendors(settings, ledger), account, vendor)
        yield ledger, store
    finally:
        ledger.close()


async def _fetch(
    wanted: Wanted, names: Sequence[str], folder: Folder, *, is_shown: bool
) -> Fetched:
    found, unknown = await _find(wanted, names)
    total = sum(one.bytes for one in found) if names else None
    bags = _each(found) if names else wanted.every()
    with _progress(total, is_shown=is_shown) as told:
        fetched = await fetch_bags(wanted.store, folder, bags, told)
    fetched.problems += unknown
    if wanted.ledger is None and wanted.account and not (names or fetched.bags or fetched.failed):
        fetched.problems.append(f"{wanted.store.url} has nothing of an account {wanted.account!r}")
    return fetched


async def _find(wanted: Wanted, names: Sequence[str]) -> tuple[list[WantedBag], list[str]]:
    """Return the bags of these scans, and why some have none."""
    found, unknown = [], []
    for name in names:
        try:
            found.append(await wanted.find(name))
        except (BadInput, UnknownScan) as error:
            unknown.append(str(error))
    return found, unknown


async def _each(found: Sequence[WantedBag]) -> AsyncIterator[WantedBag]:
    for one in found:
        yield one


@contextmanager
def _progress(total: int | None, *, is_shown: bool) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many bytes are there; returns what counts them."""
    screen = console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=screen, disable=not (is_shown and screen.is_terminal)) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)


def _tell(fetched: Fetched, to: Path) -> None:
    for problem in fetched.problems:
        complain(problem)
    read = f"{plural(fetched.files, 'file')}, {size(fetched.bytes)}"
    kept = f", of which {fetched.kept:,} were there before" if fetched.kept else ""
    failed = f"; {len(fetched.failed):,} not whole" if fetched.failed else ""
    say(f"{plural(fetched.bags, 'bag')} whole in {to} ({read}{kept}){failed}")
