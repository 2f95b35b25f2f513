"""Laserfiche's search syntax, as much of it as finds entries by name, path and time."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from export_pipeline.sandbox.laserfiche.errors import invalid

Row = dict[str, Any]
Test = Callable[[Row], bool]
_CLAUSE = re.compile(r"\{LF:(.*?)\}", re.IGNORECASE)
_CONDITION = re.compile(r'\s*(\w+)\s*(~=|>=|<=|<>|=|>|<)\s*(?:"([^"]*)"|(\w+))\s*(?:,|$)')
_BETWEEN = re.compile(r"[\s()&]*")
_TYPES = {"D": "Document", "F": "Folder", "S": "Shortcut"}
_COMPARED = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}


def find(command: str, rows: Sequence[Row]) -> list[Row]:
    """The entries that meet every clause of `command`, or a 400 if it is not understood."""
    clauses = list(_CLAUSE.finditer(command))
    rest = _CLAUSE.sub("", command)
    if not clauses or not _BETWEEN.fullmatch(rest) or rest.count("(") != rest.count(")"):
        raise invalid("searchCommand: the search syntax is not understood.")
    tests = [test for clause in clauses for test in _tests(clause[1])]
    return [row for row in rows if all(test(row) for test in tests)]


def _tests(clause: str) -> list[Test]:
    found, at = [], 0
    while at < len(clause):
        condition = _CONDITION.match(clause, at)
        if condition is None:
            raise invalid("searchCommand: the search syntax is not understood.")
        name, operator, quoted, bare = condition.groups()
        found.append(_test(name.lower(), operator, quoted if quoted is not None else bare))
        at = condition.end()
    return found


def _test(name: str, operator: str, value: str) -> Test:
    match name:
        case "modified" | "created":
            return _by_day(
                {"modified": "lastModifiedTime", "created": "creationTime"}[name], operator, value
            )
        case "name" if operator == "=":
            return lambda row: fnmatchcase(row["name"].casefold(), value.casefold())
        case "basic" | "name":
            return lambda row: value.casefold() in row["name"].casefold()
        case "lookin":
            folder = "\\" + value.strip("\\")
            return lambda row: f"{row['fullPath']}\\".startswith(f"{folder.rstrip(chr(92))}\\")
        case "type":
            types = {_TYPES.get(letter) for letter in value.upper()}
            return lambda row: row["entryType"] in types
        case "option" | "subfolders":
            return lambda _: True
    raise invalid(f"searchCommand: there is no search by {name}.")


def _by_day(field: str, operator: str, value: str) -> Test:
    """Compare whole days in UTC; `yyyy-mm-dd` is understood in every locale."""
    try:
        day = datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise invalid(f"searchCommand: {value} is no date such as 2026-03-01.") from None
    compare = _COMPARED.get(operator)
    if compare is None:
        raise invalid(f"searchCommand: dates cannot be compared by {operator}.")
    wanted = f"{day:%Y-%m-%d}"
    return lambda row: bool(compare(row[field][: len(wanted)], wanted))
