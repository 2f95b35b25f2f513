"""`inbox`: bring in stored webhooks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from export_pipeline.cli.files import STDIN, opened, tell_imported
from export_pipeline.cli.home import open_home
from export_pipeline.cli.options import AsJson, FileOrFolder, Home, examples
from export_pipeline.scans import DEFAULT_ACCOUNT
from export_pipeline.vendors.copyleaks.login import VENDOR
from export_pipeline.workflow.importing import Imported, require_account
from export_pipeline.workflow.letters import Body, import_bodies, read_bodies, read_folder

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Bring in webhooks that were stored."
)


@app.command(
    "import",
    epilog=examples(
        "export-pipeline inbox import completed-webhooks.jsonl",
        "export-pipeline inbox import folder-of-bodies/ --account team-b",
        "cat body.json | export-pipeline inbox import -",
    ),
)
def import_(
    *,
    file: FileOrFolder,
    account: Annotated[
        str, typer.Option("--account", metavar="NAME", help="The account whose scans these are.")
    ] = DEFAULT_ACCOUNT,
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
