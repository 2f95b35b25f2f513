"""What commands print: tables and sentences for people, one JSON object for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_COLUMNS = 2_000
"""Width of what no terminal shows: nothing is wrapped that another program reads."""
_UNITS = ("bytes", "KB", "MB", "GB", "TB")
_STEP = 1000
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


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
    table = Table(box=None, pad_edge=False, show_header=any(headers))
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*[Text("" if cell is None else plain(str(cell))) for cell in row])
    console().print(table)


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


def duration(seconds: float) -> str:
    """A duration in the two largest units: `3 d 4 h`."""
    left = round(seconds)
    if left < _MINUTE:
        return f"{left} s"
    for large, small, names in ((_DAY, _HOUR, "d h"), (_HOUR, _MINUTE, "h min")):
        if left >= large:
            first, second = names.split()
            return f"{left // large} {first} {left % large // small} {second}"
    return f"{left // _MINUTE} min {left % _MINUTE} s"


def size(count: int | None) -> str | None:
    """A number of bytes in decimal units, None without one."""
    if count is None:
        return None
    value, unit = float(count), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{count} bytes" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def plural(count: int, noun: str) -> str:
    """`1 scan`, `2,300 scans`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
