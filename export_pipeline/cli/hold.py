"""`hold`: keep scans from being forgotten, let go of them, list them."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from export_pipeline.cli.forget import find_key
from export_pipeline.cli.home import OpenHome, open_home
from export_pipeline.cli.options import Account, AsJson, Home, ScanIds, Vendor, examples
from export_pipeline.cli.output import emit, moment, say, show_table
from export_pipeline.ledger import holds
from export_pipeline.ledger.holds import Hold
from export_pipeline.scans import ScanKey
from export_pipeline.workflow.forgetting.hold import hold as place_hold
from export_pipeline.workflow.forgetting.hold import release

EPILOG = examples(
    "export-pipeline hold essay-1 --reason 'case 42'",
    "export-pipeline hold essay-1 --release",
    "export-pipeline hold --json",
)


def hold(
    *,
    scan_ids: ScanIds = None,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for whoever wants it forgotten.")
    ] = "",
    let_go: Annotated[bool, typer.Option("--release", help="Let go of them again.")] = False,
    vendor: Vendor = None,
    account: Account = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Keep scans from `forget` and from the retention; without ids, list the holds.

    A hold lies in the ledger and in the store, below holds/. A scan that is not registered can be
    held too; it needs --vendor.
    """
    if let_go and not scan_ids:
        raise typer.BadParameter("name the scans to let go of", param_hint="ID")
    if scan_ids and not let_go and not reason.strip():
        raise typer.BadParameter(
            "say why they are held, or let go of them with --release", param_hint="--reason"
        )
    with open_home(home, account, vendor) as there:
        keys = [find_key(there, name, account, vendor) for name in dict.fromkeys(scan_ids or [])]
        if not keys:
            _list(there, vendor, account, as_json=as_json)
        elif let_go:
            _tell("released", asyncio.run(_release(there, keys)), as_json=as_json)
        else:
            placed = asyncio.run(_hold(there, keys, reason))
            _tell("held", [one.key for one in placed], as_json=as_json)


async def _hold(home: OpenHome, keys: Sequence[ScanKey], reason: str) -> list[Hold]:
    return [await place_hold(home.settings, home.ledger, home.store, key, reason) for key in keys]


async def _release(home: OpenHome, keys: Sequence[ScanKey]) -> list[ScanKey]:
    return [key for key in keys if await release(home.ledger, home.store, key)]


def _tell(what: str, keys: Sequence[ScanKey], *, as_json: bool) -> None:
    if as_json:
        emit({what: [asdict(key) for key in keys]})
    else:
        say(f"{what}: {', '.join(map(str, keys)) or 'none, they were not held'}")


def _list(home: OpenHome, vendor: str | None, account: str | None, *, as_json: bool) -> None:
    found: list[Hold] = []
    with home.ledger.read() as tx:
        while page := holds.page(tx, vendor=vendor, account=account, after=_last(found)):
            found += page
    if as_json:
        facts = [{**asdict(one.key), "reason": one.reason, "at": one.at} for one in found]
        emit({"holds": facts})
        return
    rows = [
        (one.key.vendor, one.key.account, one.key.scan, moment(one.at), one.reason) for one in found
    ]
    show_table("", ("vendor", "account", "scan", "since", "reason"), rows)


def _last(found: Sequence[Hold]) -> ScanKey | None:
    return found[-1].key if found else None
