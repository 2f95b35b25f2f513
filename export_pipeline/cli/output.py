"""What commands print: tables and sentences for people, one JSON object for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from export_pipeline.workflow import words
from export_pipeline.workflow.words import duration, plural

__all__ = [
    "Block",
    "complain",
    "console",
    "draw",
    "duration",
    "emit",
    "moment",
    "note",
    "plain",
    "plural",
    "say",
    "show_blocks",
    "show_table",
    "size",
    "table",
]

PIPED_COLUMNS = 2_000
"""Width of what no terminal shows: nothing is wrapped that another program reads."""


def console(*, stderr: bool = False) -> Console:
    """A console that shows texts as they are."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPED_COLUMNS
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


def say(text: str) -> None:
    """Print a sentence on stdout."""
    console().print(plain(text), soft_wrap=True)


def note(text: str) -> None:
    """Print a sentence on stderr, beside what is reported."""
    console(stderr=True).print(plain(text), soft_wrap=True)


def complain(text: str) -> None:
    """Print what went wrong on stderr, in red on a terminal."""
    console(stderr=True).print(plain(text), style="red", soft_wrap=True)


def emit(value: object) -> None:
    """Print the one JSON object of `--json`."""
    sys.stdout.write(json.dumps(value) + "\n")


def show_table(title: str, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under a title, if there is one; a cell of None is empty."""
    if title:
        say(title)
    console().print(table(headers, rows))


@dataclass(frozen=True)
class Block:
    """Rows of a name and what is to be said of it, under a title if there is one."""

    title: str
    rows: Sequence[tuple[str, object]]


def show_blocks(blocks: Iterable[Block]) -> None:
    """Print blocks, an empty line before each but the first."""
    for index, block in enumerate(blocks):
        if index:
            say("")
        show_table(block.title, ("", ""), block.rows)


def draw(block: Block) -> Group:
    """A block as a terminal shows it, with an empty line behind."""
    title = [Text(plain(block.title))] if block.title else []
    return Group(*title, table(("", ""), block.rows), Text(""))


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Rows as they are printed; a cell of None is empty."""
    made = Table(box=None, pad_edge=False, show_header=any(headers))
    for header in headers:
        made.add_column(header, overflow="fold")
    for row in rows:
        made.add_row(*[Text("" if cell is None else plain(str(cell))) for cell in row])
    return made


def plain(text: str) -> str:
    """`text` with what steers a terminal or cannot be shown written as an escape."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def moment(seconds: float | None) -> str | None:
    """A moment in local time, None without one."""
    if seconds is None:
        return None
    local = datetime.fromtimestamp(seconds, UTC).astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S")


def size(count: int | None) -> str | None:
    """A number of bytes in decimal units, None without one."""
    return None if count is None else words.size(count)
