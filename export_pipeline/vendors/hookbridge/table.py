"""CSV as HookBridge's files are taken to be: UTF-8, RFC 4180, with a header (FACTS 3.4)."""

import csv
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from typing import Any, BinaryIO, TextIO

from export_pipeline.errors import Unreadable

LONGEST_CHARACTERS = 8 << 20
"""Of a line, and of a field with line breaks in it: what is longer is no delivery log."""

csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CHARACTERS))


def open_csv(file: BinaryIO) -> dict[str, Any]:
    """Read a table to its end, holding one row at a time; return its numbers of rows and columns.

    Raises:
        Unreadable: it is no UTF-8 or no CSV, the header has no name twice or an empty one, or a
            row is not as wide as the header.
    """
    text = TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        return _measure(csv.reader(_lines(text), strict=True))
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8: {error.reason}") from None
    except csv.Error as error:
        raise Unreadable(f"not CSV: {error}") from None
    finally:
        text.detach()


def _measure(rows: Iterator[list[str]]) -> dict[str, Any]:
    header = next(rows, [])
    _require_header(header)
    number = 0
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise Unreadable(f"row {number} has {len(row)} fields and the header {len(header)}")
    return {"rows": number, "columns": len(header)}


def _require_header(names: Sequence[str]) -> None:
    if not names:
        raise Unreadable("no header")
    if not all(names):
        raise Unreadable("a column of the header has no name")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Unreadable(f"the header has the column {twice!r:.80} twice")


def _lines(text: TextIO) -> Iterator[str]:
    while line := text.readline(LONGEST_CHARACTERS + 1):
        if len(line) > LONGEST_CHARACTERS:
            raise Unreadable(f"a line of more than {LONGEST_CHARACTERS:,} characters")
        yield line


class RowCounter:
    """Counts a table's rows below its header while its bytes pass."""

    def __init__(self) -> None:
        self._is_quoted = False
        self._breaks = 0
        self._is_open = False

    def add(self, chunk: bytes) -> None:
        """Count the line breaks outside quotes: a quote within quotes is doubled."""
        pieces = chunk.split(b'"')
        self._breaks += sum(piece.count(b"\n") for piece in pieces[self._is_quoted :: 2])
        self._is_quoted ^= len(pieces) % 2 == 0
        if chunk:
            self._is_open = self._is_quoted or not chunk.endswith(b"\n")

    @property
    def rows(self) -> int:
        """Rows so far; the last one needs no line break at its end."""
        return max(0, self._breaks + self._is_open - 1)
