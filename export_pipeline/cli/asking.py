"""Ask before what nobody can undo."""

import sys

import typer

from export_pipeline.errors import BadInput


def require_yes(question: str, *, yes: bool, as_json: bool) -> None:
    """Return once a person agreed, at the terminal or by --yes.

    Raises:
        BadInput: nobody can be asked.
        typer.Abort: the person did not agree.
    """
    if yes:
        return
    if as_json:
        raise BadInput("nothing was deleted: with --json nobody is asked, so say --yes")
    if not sys.stdin.isatty():
        raise BadInput("nothing was deleted: without a terminal to ask on, say --yes")
    typer.confirm(question, abort=True, err=True)
