"""Statements built once: to build one takes SQLAlchemy ten times as long as to run it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any, ParamSpec

import sqlalchemy as sa

P = ParamSpec("P")


@dataclass(frozen=True)
class Bound:
    """A statement with the values of its parameters."""

    statement: sa.Executable
    values: Mapping[str, Any]


def prepared(build: Callable[P, sa.Executable]) -> Callable[P, Bound]:
    """Have a statement built at its first use, and from then on only bound to what is given.

    `build` is called with placeholders: it may put them into the statement and do nothing else
    with them, such as ask whether one is None. What it takes by keyword may vary (`**values`):
    there is a statement for each set of names.
    """

    @cache
    def built(count: int, names: tuple[str, ...]) -> sa.Executable:
        placed: list[Any] = [sa.bindparam(_parameter(place)) for place in range(count)]
        named: dict[str, Any] = {name: sa.bindparam(_parameter(name)) for name in names}
        return build(*placed, **named)

    @wraps(build)
    def bind(*args: P.args, **kwargs: P.kwargs) -> Bound:
        values = {_parameter(place): value for place, value in enumerate(args)}
        values.update((_parameter(name), value) for name, value in kwargs.items())
        return Bound(built(len(args), tuple(kwargs)), values)

    return bind


@cache
def _parameter(name: str | int) -> str:
    # SQLAlchemy keeps the names of columns for itself.
    return f"given_{name}"
