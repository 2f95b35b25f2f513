"""`retention`: forget the scans whose time is over."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import typer

from export_pipeline.cli.asking import require_yes
from export_pipeline.cli.forget import DryRun, Yes
from export_pipeline.cli.home import OpenHome, open_home
from export_pipeline.cli.options import AsJson, Home, Vendor, examples
from export_pipeline.cli.output import complain, emit, moment, note, plural, say, show_table, size
from export_pipeline.cli.view import WithoutDagster, open_view
from export_pipeline.ledger.retention import Due
from export_pipeline.workflow.forgetting.forget import View
from export_pipeline.workflow.forgetting.retention import SCANS_PER_RUN, Retained, due, retain

EPILOG = examples(
    "export-pipeline retention --dry-run",
    "export-pipeline retention --vendor copyleaks",
    "export-pipeline retention --yes --json",
)


def retention(
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    without_dagster: WithoutDagster = False,
    vendor: Vendor = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Forget the scans that were sealed longer ago than EXPORT_RETENTION_DAYS.

    Or than EXPORT_<VENDOR>_RETENTION_DAYS, which goes before it. The days count from the seal of
    the newest generation. Scans on hold, and those that are being archived, stay. Everything goes
    that `forget` deletes, except at the vendor; what stays is listed at the end.
    """
    with open_home(home) as there:
        days = {
            name: kept
            for name in there.vendors
            if vendor in (None, name) and (kept := there.settings.retention(name)) is not None
        }
        if not days:
            note("no EXPORT_RETENTION_DAYS or EXPORT_<VENDOR>_RETENTION_DAYS is set: all are kept")
        found = asyncio.run(_due(there, days))
        if dry_run:
            _show(found, as_json=as_json)
            return
        with open_view(without_dagster=without_dagster) as view:
            if found:
                require_yes(_question(found), yes=yes, as_json=as_json)
            told = asyncio.run(_retain(there, days, view))
    _tell(told, as_json=as_json)


def _question(found: Sequence[Due]) -> str:
    """Name what one run forgets."""
    due_of = Counter(one.scan.vendor for one in found)
    now = sum(min(count, SCANS_PER_RUN) for count in due_of.values())
    of = f" of {len(found):,} that are due" if now < len(found) else ""
    return f"Forget {plural(now, 'scan')}{of} for good?"


async def _due(home: OpenHome, days: Mapping[str, int]) -> list[Due]:
    return [one for name, kept in days.items() async for one in due(home.pipeline(name), kept)]


async def _retain(home: OpenHome, days: Mapping[str, int], view: View) -> dict[str, Retained]:
    return {name: await retain(home.pipeline(name), kept, view) for name, kept in days.items()}


def _show(found: list[Due], *, as_json: bool) -> None:
    if as_json:
        emit({"scans": [_facts(one) for one in found]})
        return
    rows = [
        (one.scan.vendor, one.scan.account, one.scan.scan, moment(one.sealed_at), size(one.bytes))
        for one in found
    ]
    show_table("", ("vendor", "account", "scan", "sealed", "size"), rows)
    say(
        f"{plural(len(found), 'scan')} ({size(sum(one.bytes for one in found))}) would be forgotten"
    )


def _facts(one: Due) -> dict[str, object]:
    key = {"vendor": one.scan.vendor, "account": one.scan.account, "scan": one.scan.scan}
    return {**key, "sealed_at": one.sealed_at, "bytes": one.bytes}


def _tell(told: Mapping[str, Retained], *, as_json: bool) -> None:
    if as_json:
        emit({"vendors": {name: asdict(one) for name, one in told.items()}})
    else:
        for name, one in told.items():
            more = "; more are due: run it again" if one.left else ""
            say(f"{name}: {plural(one.forgotten, 'scan')} forgotten{more}")
            for words in one.kept:
                complain(words)
        if stays := dict.fromkeys(words for one in told.values() for words in one.stays):
            say("What stays:")
            for words in stays:
                say(f"- {words}")
    if any(one.kept for one in told.values()):
        raise typer.Exit(1)
