"""`forget`: delete all that there is of scans."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from export_pipeline.cli.asking import require_yes
from export_pipeline.cli.home import OpenHome, open_home
from export_pipeline.cli.options import Account, AsJson, Home, Vendor, examples
from export_pipeline.cli.output import complain, emit, moment, plural, say, show_table, size
from export_pipeline.cli.view import WithoutDagster, open_view
from export_pipeline.errors import UnknownScan
from export_pipeline.scans import DEFAULT_ACCOUNT, ScanKey
from export_pipeline.workflow.forgetting.forget import Forgotten, View
from export_pipeline.workflow.forgetting.forget import forget as forget_scans
from export_pipeline.workflow.forgetting.forgettable import Candidate, each_once, look
from export_pipeline.workflow.forgetting.forgotten import find_forgotten
from export_pipeline.workflow.history import find_named

EPILOG = examples(
    "export-pipeline forget essay-1 --reason 'asked by the author' --dry-run",
    "export-pipeline forget essay-1 essay-2 --reason 'GDPR 17, case 42' --at-vendor",
    "export-pipeline forget 7f3c --vendor cloudconvert --reason 'case 43' --yes --json",
)
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be deleted.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def forget(
    *,
    scan_ids: Annotated[
        list[str],
        typer.Argument(
            metavar="ID",
            help="The vendor's own ids, or Dagster's partition keys. Put -- before ids that begin"
            " with a dash.",
        ),
    ],
    reason: Annotated[
        str,
        typer.Option(
            "--reason", metavar="TEXT", help="Why; it is kept, so let it name nobody (a case)."
        ),
    ],
    at_vendor: Annotated[
        bool, typer.Option("--at-vendor", help="Delete them at the vendor too.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    without_dagster: WithoutDagster = False,
    vendor: Vendor = None,
    account: Account = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Delete all that there is of scans, for good, and let nothing bring them back.

    Every generation in the store with all its versions, what is staged for it, its rows in the
    ledger, in every snapshot of the catalog and in the fixity records, its webhooks, and its
    partition with all events in Dagster (by DAGSTER_HOME). What stays is a tombstone: a digest
    that names nobody, the reason and the time. By it the scan is not registered again.

    A scan on hold, one that the store keeps by a lock, and one that somebody works on is refused
    before anything is deleted. The PDF/A that was made of a report goes with its scan. Interrupted,
    the same command goes on. What nobody can delete from here is listed at the end. A scan that
    only the store knows needs --vendor.
    """
    if not reason.strip():
        raise typer.BadParameter("say why they are forgotten", param_hint="--reason")
    with open_home(home, account, vendor) as there:
        keys = [find_key(there, name, account, vendor) for name in dict.fromkeys(scan_ids)]
        found = asyncio.run(_look(there, keys))
        is_refused = any(one.obstacles for one in found)
        if dry_run or not as_json:
            _show(found, as_json=as_json)
            if dry_run or is_refused:
                raise typer.Exit(1 if is_refused else 0)
        with open_view(without_dagster=without_dagster) as view:
            count = plural(len(each_once(found)), "scan")
            require_yes(f"Delete {count} for good?", yes=yes, as_json=as_json)
            done = asyncio.run(_forget(there, found, view, reason, at_vendor=at_vendor))
    if as_json:
        facts = asdict(done)
        emit({"forgotten": facts.pop("keys"), **facts})
    else:
        say(f"{plural(len(done.keys), 'scan')} forgotten. What stays:")
        for words in done.stays:
            say(f"- {words}")
        for words in done.unreadable:
            complain(words)
    if done.unreadable:
        raise typer.Exit(1)


def find_key(home: OpenHome, name: str, account: str | None, vendor: str | None) -> ScanKey:
    """The scan that `name` means, also one that was forgotten before.

    With a vendor named, also one of which nobody knows.

    Raises:
        UnknownScan: the ledger has none, and no vendor is named.
        BadInput: several have one of that id.
    """
    with home.ledger.read() as tx:
        try:
            return find_named(tx, name, account, vendor).key
        except UnknownScan:
            gone = find_forgotten(tx, home.settings, home.vendors, name, account, vendor)
            if gone is not None:
                return gone
            if vendor is None:
                raise
    return ScanKey(vendor, account or DEFAULT_ACCOUNT, name)


async def _look(home: OpenHome, keys: Sequence[ScanKey]) -> list[Candidate]:
    found = [await look(home.pipeline(key.vendor), key) for key in keys]
    for one in found:
        if not one.is_known:
            raise UnknownScan(
                f"nobody knows a scan {one.known.key}: it is not in the ledger, not in the store,"
                " and was never forgotten"
            )
    return found


async def _forget(
    home: OpenHome, found: Sequence[Candidate], view: View, reason: str, *, at_vendor: bool
) -> Forgotten:
    pipeline = home.pipeline(found[0].known.key.vendor)
    return await forget_scans(pipeline, found, view, reason=reason, at_vendor=at_vendor)


def _show(found: Sequence[Candidate], *, as_json: bool) -> None:
    every = [_facts(one) for one in each_once(found)]
    if as_json:
        emit({"scans": every})
        return
    headers = ("vendor", "account", "scan", "state", "objects", "size", "forgotten")
    rows = [tuple(one.values())[: len(headers)] for one in every]
    show_table("", headers, [(*row[:5], size(row[5]), moment(row[6])) for row in rows])
    for words in dict.fromkeys(words for one in found for words in one.obstacles):
        complain(words)


def _facts(one: Candidate) -> dict[str, Any]:
    known = one.known
    return {
        **asdict(known.key),
        "state": known.scan.state.value if known.scan else "not in the ledger",
        "objects": one.kept.objects,
        "bytes": one.kept.bytes,
        "forgotten_at": known.tombstone.at if known.tombstone else None,
        "obstacles": list(one.obstacles),
    }
