"""Lists of jobs and tasks, in pages (FACTS 4.3)."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from export_pipeline.sandbox.cloudconvert.errors import InvalidData

MOST_PER_PAGE = 100
T = TypeVar("T")


def page_of(
    found: Iterable[T], query: Mapping[str, str], url: str
) -> tuple[list[T], dict[str, Any]]:
    """The page that the query asks for, and what is told around it: no total, as documented."""
    page, per_page = _number(query, "page", 1), _number(query, "per_page", MOST_PER_PAGE)
    if per_page > MOST_PER_PAGE:
        raise InvalidData({"per_page": [f"The per page may not be greater than {MOST_PER_PAGE}."]})
    all_of_them = list(found)
    start = (page - 1) * per_page
    rows = all_of_them[start : start + per_page]
    has_more = len(all_of_them) > start + per_page

    def link(number: int) -> str:
        return f"{url}?{urlencode({**query, 'page': number})}"

    links = {
        "first": link(1),
        "last": None,
        "prev": link(page - 1) if page > 1 else None,
        "next": link(page + 1) if has_more else None,
    }
    meta = {
        "current_page": page,
        "from": start + 1 if rows else None,
        "path": url,
        "per_page": per_page,
        "to": start + len(rows) if rows else None,
    }
    return rows, {"links": links, "meta": meta}


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise InvalidData({name: [f"The {name.replace('_', ' ')} must be at least 1."]})
    return int(text)
