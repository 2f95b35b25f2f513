"""Reading rows of the database as what the rest of the project knows them as."""

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, TypeVar

import sqlalchemy as sa

Read = TypeVar("Read")


def reader(kind: type[Read], **conversions: Callable[[Any], Any]) -> Callable[[sa.Row[Any]], Read]:
    """How to read a row that has a column for each field of the dataclass `kind`.

    Args:
        kind: what a row is read as.
        conversions: field -> what makes the column's value the field's.
    """
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # it is a dataclass
    columns = attrgetter(*names)
    converted = [(names.index(name), convert) for name, convert in conversions.items()]

    def read(row: sa.Row[Any]) -> Read:
        values = list(columns(row))
        for place, convert in converted:
            values[place] = convert(values[place])
        return kind(*values)

    return read
