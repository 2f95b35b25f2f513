"""`inbox`: bring in webhooks, stored ones or once more from the vendor."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from export_pipeline.cli.files import STDIN, opened, tell_imported
from export_pipeline.cli.home import OpenHome, open_home
from export_pipeline.cli.options import AsJson, FileOrFolder, Home, examples
from export_pipeline.cli.output import complain, emit, plural, say
from export_pipeline.errors import VendorError
from export_pipeline.scans import DEFAULT_ACCOUNT
from export_pipeline.vendors.copyleaks import VENDOR
from export_pipeline.vendors.copyleaks.exports import Copyleaks
from export_pipeline.workflow.importing import Imported, require_account
from export_pipeline.workflow.letters import Body, import_bodies, read_bodies, read_folder

Whose = Annotated[
    str, typer.Option("--account", metavar="NAME", help="The account whose scans these are.")
]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Bring in webhooks: stored ones, or once more from the vendor.",
)


@app.command(
    "import",
    short_help="Register old scans from stored webhooks.",
    epilog=examples(
        "export-pipeline inbox import completed-webhooks.jsonl",
        "export-pipeline inbox import folder-of-bodies/ --account team-b",
        "cat body.json | export-pipeline inbox import -",
    ),
)
def import_(
    *,
    file: FileOrFolder,
    account: Whose = DEFAULT_ACCOUNT,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Register old scans, with their result ids, from stored bodies of `completed` webhooks.

    The file is one JSON object, or JSON lines with one body each. The bodies go into the inbox
    like webhooks that arrive. Nothing is ordered yet: the nightly schedule, a backfill or `retry`
    does that. Bodies that cannot be used are reported by line or file name, the others are kept;
    then the exit code is 1.
    """
    imported = Imported()
    with open_home(home) as there, _bodies(file) as bodies:
        require_account(account)
        vendor = there.vendors[VENDOR]
        import_bodies(
            there.ledger, vendor, there.settings, bodies, account=account, imported=imported
        )
        tell_imported(imported, there, VENDOR, as_json=as_json)


@contextmanager
def _bodies(path: Path) -> Iterator[Iterator[Body]]:
    if path != STDIN and path.is_dir():
        yield read_folder(path)
        return
    with opened(path) as file:
        yield read_bodies(file)


@app.command(
    short_help="Have Copyleaks post webhooks once more.",
    epilog=examples("export-pipeline inbox resend essay-1 essay-2"),
)
def resend(
    *,
    scan_ids: Annotated[
        list[str],
        typer.Argument(
            metavar="ID", help="Copyleaks's own ids. Put -- before ids that begin with a dash."
        ),
    ],
    account: Whose = DEFAULT_ACCOUNT,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Have Copyleaks post the `completed` webhook of finished scans once more.

    It goes to the status URL with which each scan was submitted, which this call cannot change:
    use it for scans submitted with the receiver's address, whose webhook was lost or came before
    the receiver was there. They are registered when it arrives. The exit code is 1 if the vendor
    refused any.
    """
    with open_home(home, account, VENDOR) as there:
        refused = asyncio.run(_resend(there, account, list(dict.fromkeys(scan_ids))))
    asked = len(set(scan_ids)) - len(refused)
    if as_json:
        problems = [{"scan": scan, "reason": reason} for scan, reason in refused.items()]
        emit({"asked": asked, "problems": problems})
    else:
        for reason in refused.values():
            complain(reason)
        say(f"{plural(asked, 'webhook')} asked for; the scans appear in `scans list` as they come")
    if refused:
        raise typer.Exit(1)


async def _resend(home: OpenHome, account: str, scans: list[str]) -> dict[str, str]:
    """Ask for each scan's webhook; return scan -> why not, of those refused."""
    refused = {}
    async with Copyleaks(home.settings, home.ledger) as copyleaks:
        client = copyleaks.client(account)
        for scan in scans:
            try:
                await client.resend_webhook(scan)
            except VendorError as error:
                refused[scan] = str(error)
    return refused
