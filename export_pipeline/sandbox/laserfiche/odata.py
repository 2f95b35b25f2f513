"""The OData options of a listing, and its pages (FACTS 2.7)."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from export_pipeline.sandbox.laserfiche.errors import invalid

PAGE_SIZE = 150
MOST_EXPRESSIONS = 5
MOST_FIELDS = 10
ALWAYS = {"@odata.type", "entryType"}
_PREFER = re.compile(r"(?:odata\.)?maxpagesize\s*=\s*(\d+)", re.IGNORECASE)

Row = dict[str, Any]


def listing(request: Request, rows: Sequence[Row], url: str, context: str) -> Row:
    """One page of `rows`, its next page's absolute address if there is one."""
    query = request.query_params
    if len(query.getlist("fields")) > MOST_FIELDS:
        raise invalid(f"fields: at most {MOST_FIELDS} names.")
    chosen = _ordered(rows, query.get("$orderby"))[_number(query, "$skip", 0) :]
    top = _number(query, "$top", len(chosen))
    size = min(_page_size(request), top)
    page = [_selected(row, query.get("$select")) for row in chosen[:size]]
    told: Row = {"@odata.context": context}
    if query.get("$count", "").lower() == "true":
        told["@odata.count"] = len(rows)
    if len(chosen[:top]) > size:
        told["@odata.nextLink"] = _next(request, url, size, top)
    return {**told, "value": page}


def _next(request: Request, url: str, size: int, top: int) -> str:
    options = [one for one in request.query_params.multi_items() if one[0] not in ("$skip", "$top")]
    options.append(("$skip", str(_number(request.query_params, "$skip", 0) + size)))
    if "$top" in request.query_params:
        options.append(("$top", str(top - size)))
    return f"{url}?{urlencode(options)}"


def _page_size(request: Request) -> int:
    found = _PREFER.search(request.headers.get("Prefer", ""))
    size = int(found[1]) if found else PAGE_SIZE
    if size < 1:
        raise invalid("Prefer: a page has at least one item.")
    return size


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise invalid(f"{name}: a whole number.")
    return int(text)


def _ordered(rows: Sequence[Row], order_by: str | None) -> list[Row]:
    found = list(rows)
    expressions = [one.strip() for one in order_by.split(",")] if order_by else []
    if len(expressions) > MOST_EXPRESSIONS:
        raise invalid(f"$orderby: at most {MOST_EXPRESSIONS} expressions.")
    for expression in reversed(expressions):
        name, _, direction = expression.partition(" ")
        if direction.strip().lower() not in ("", "asc", "desc"):
            raise invalid(f"$orderby: {direction} is neither asc nor desc.")
        if rows and name not in rows[0]:
            raise invalid(f"$orderby: there is no property {name}.")
        found.sort(key=_by(name), reverse=direction.strip().lower() == "desc")
    return found


def _by(name: str) -> Callable[[Row], tuple[bool, Any]]:
    return lambda row: (row[name] is not None, row[name] if row[name] is not None else "")


def _selected(row: Row, select: str | None) -> Row:
    if not select:
        return row
    names = {name.strip() for name in select.split(",")} | ALWAYS
    return {name: value for name, value in row.items() if name in names}
