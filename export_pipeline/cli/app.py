"""The command `export-pipeline`: every command's name and place, and how errors are told."""

import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from sqlalchemy.exc import SQLAlchemyError
from typer.core import TyperGroup

from export_pipeline import logs
from export_pipeline.cli import (
    catalog,
    check,
    demo,
    fetch,
    forget,
    hold,
    inbox,
    link,
    plan,
    retention,
    retry,
    scans,
    servers,
    status,
    verify,
)
from export_pipeline.cli.errors import in_words
from export_pipeline.cli.output import complain
from export_pipeline.errors import ExportPipelineError


class Commands(TyperGroup):
    """All commands; an error that a person can act on is a sentence and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever read what is printed has enough: typer ends quietly
        except (ExportPipelineError, SQLAlchemyError, OSError) as error:
            complain(in_words(error))
        raise typer.Exit(1)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(scans.app, name="scans")
app.add_typer(inbox.app, name="inbox")
app.add_typer(catalog.app, name="catalog")
for command, short_help, epilog in (
    (status.status, "Show how everything stands and how long it will take.", status.EPILOG),
    (plan.plan, "Tell what would be ordered; nothing is sent.", plan.EPILOG),
    (retry.retry, "Queue again what failed.", retry.EPILOG),
    (verify.verify, "Reread sealed bags and say what is wrong.", verify.EPILOG),
    (fetch.fetch, "Copy sealed bags to a folder, verified.", fetch.EPILOG),
    (link.link, "Print URLs to download a scan's sealed files.", link.EPILOG),
    (forget.forget, "Delete all that there is of scans, for good.", forget.EPILOG),
    (hold.hold, "Keep scans from being forgotten.", hold.EPILOG),
    (retention.retention, "Forget scans whose time is over.", retention.EPILOG),
    (demo.demo, "Archive sample scans on this machine, to see it all.", demo.EPILOG),
    (check.check, "Tell what is set and whether it works.", check.EPILOG),
    (servers.receiver, "Take in the vendors' webhooks and uploads.", servers.RECEIVER_EPILOG),
    (servers.sandbox, "Run vendors on this machine to try it out.", servers.SANDBOX_EPILOG),
):
    app.command(short_help=short_help, epilog=epilog)(command)


def _tell_version(wanted: bool) -> None:  # noqa: FBT001  typer calls it so
    if wanted:
        sys.stdout.write(f"export-pipeline {version('export-pipeline')}\n")
        raise typer.Exit


@app.callback()
def common(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Archive the exports of four vendors: ordered, received, verified, sealed, shown in Dagster.

    Every command works on a home folder (--home); `check --init` makes one. The exit code is 0
    if all went well, 1 if something did not, 2 if the command was called wrongly.
    """
    logs.configure()


def main() -> None:
    """Run the command line."""
    app(prog_name="export-pipeline")
