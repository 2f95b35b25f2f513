"""The files that commands read, and how they tell what they read."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import typer

from export_pipeline.cli.home import OpenHome
from export_pipeline.cli.output import complain, emit, note, plural, say
from export_pipeline.workflow.importing import Imported

STDIN = Path("-")


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, `-` being stdin.

    Raises:
        typer.BadParameter: it cannot be opened.
    """
    if path == STDIN:
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}", param_hint="FILE") from None
    with file:
        yield file


def tell_imported(imported: Imported, home: OpenHome, vendor: str, *, as_json: bool) -> None:
    """Report an import; exits with 1 if something could not be used."""
    if as_json:
        emit(
            {
                "new": imported.new,
                "updated": imported.updated,
                "known": imported.known,
                "forgotten": imported.forgotten,
                "bad": imported.bad,
                "problems": [
                    {"where": where, "reason": reason} for where, reason in imported.problems
                ],
            }
        )
    else:
        _tell(imported)
    for account in sorted(imported.accounts - set(home.vendors[vendor].accounts)):
        note(
            f"{vendor} account {account} has no credentials here: its scans wait until they are"
            " set (see `export-pipeline check`)"
        )
    if imported.bad:
        raise typer.Exit(1)


def _tell(imported: Imported) -> None:
    kept = imported.new + imported.updated + imported.known
    if kept:
        say(
            f"{plural(imported.new, 'scan')} registered, {imported.updated:,} updated,"
            f" {imported.known:,} known before"
        )
    elif not imported.forgotten:
        say("nothing was imported" if imported.bad else "nothing was imported: it holds no scan")
    if imported.forgotten:
        note(f"{plural(imported.forgotten, 'scan')} left out: forgotten before, see `forget`")
    for where, reason in imported.problems:
        complain(f"{where}: {reason}")
    if imported.bad:
        unlisted = imported.bad - len(imported.problems)
        more = f", {unlisted:,} of them not listed" if unlisted else ""
        others = "; the others are kept" if kept else ""
        complain(f"{imported.bad:,} could not be used{more}{others}")
