"""Files of scans, line by line in bounded memory: CSV, JSON lines, or plain ids."""

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, BinaryIO

from export_pipeline.errors import BadInput

SCAN = "scan"
ACCOUNT = "account"
MAX_LINE_BYTES = 1 << 23
"""A line with 100,000 result ids of Copyleaks's ten characters is about 1.3 MB."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DELIMITERS = re.compile(r"[,;\t]")

csv.field_size_limit(MAX_LINE_BYTES)  # the default of 128 KiB is 12,000 result ids


@dataclass(frozen=True)
class Line:
    """One line: its number from 1 and its fields, or why it cannot be read."""

    number: int
    fields: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


def read_lines(file: BinaryIO, known: Sequence[str]) -> Iterator[Line]:
    """Yield every line but blank ones, in the form that the first one shows.

    JSON lines begin with `{`. A first line with one of the `known` names between commas,
    semicolons or tabs is the header of a CSV file, each of whose rows is one line. Otherwise
    every line is one id, as it is.

    Raises:
        BadInput: the header cannot be used; nothing was yielded.
    """
    lines = _numbered(file)
    first = next(lines, None)
    if first is None:
        return
    text = first[1].decode(errors="replace").strip()
    delimiter = _delimiter(text, known)
    read: Callable[[str], dict[str, Any]] = _read_json if text.startswith("{") else _read_id
    if delimiter is None:
        lines = chain([first], lines)
    else:
        read = partial(_read_row, _header(text, delimiter, known), delimiter)
    for number, raw in lines:
        try:
            yield Line(number, read(_decoded(raw)))
        except BadInput as error:
            yield Line(number, problem=str(error))


def _numbered(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, each cut to one byte more than is allowed."""
    number = 0
    while raw := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        rest = raw
        while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE_BYTES + 1)
        if number == 1:
            raw = raw.removeprefix(_BYTE_ORDER_MARK)
        if raw.strip():
            yield number, raw


def _decoded(raw: bytes) -> str:
    if len(raw) > MAX_LINE_BYTES:
        raise BadInput(f"longer than {MAX_LINE_BYTES} bytes")
    try:
        return raw.decode().strip("\r\n")
    except UnicodeDecodeError as error:
        raise BadInput(f"not UTF-8 at byte {error.start}: save the file as UTF-8") from None


def _delimiter(text: str, known: Sequence[str]) -> str | None:
    """What separates the names of a header, None if the line is none."""
    if text.startswith("{"):
        return None
    spelled = _spelled(known)
    for name in _DELIMITERS.split(text):
        if _name(name) in spelled:
            found = _DELIMITERS.search(text)
            return found.group() if found else ","
    return None


def _header(text: str, delimiter: str, known: Sequence[str]) -> list[str]:
    spelled = _spelled(known)
    names = [spelled.get(_name(name), name) for name in text.split(delimiter)]
    strange = [name for name in names if name not in known]
    if SCAN not in names or strange or len(set(names)) != len(names):
        raise BadInput(
            f"the header {text!r:.200} cannot be used: it needs the column {SCAN}, and may have"
            f" {', '.join(name for name in known if name != SCAN)}, each once, and no other"
        )
    return names


def _spelled(known: Sequence[str]) -> dict[str, str]:
    """The names as they are spelled, whatever capitals a header has."""
    return {name.casefold(): name for name in known}


def _name(text: str) -> str:
    return text.strip().strip('"').casefold()


def _read_row(header: Sequence[str], delimiter: str, text: str) -> dict[str, Any]:
    try:
        row = next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise BadInput(f"not a CSV row ({error}); a row is one line") from None
    if len(row) != len(header):
        raise BadInput(f"{len(row)} values for {len(header)} columns; quote what has commas in it")
    return {name: value for name, value in zip(header, row, strict=True) if value}


def _read_json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadInput("JSON, but not an object")
    return value


def _read_id(text: str) -> dict[str, Any]:
    return {SCAN: text.strip()}
