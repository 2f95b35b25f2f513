"""Options that a control call changes."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Options = TypeVar("Options", bound=Any)
Choices = Mapping[str, tuple[Any, ...]]
"""Option -> what it can be."""
Free = Mapping[str, Callable[[Any], bool]]
"""Option that can be anything of a kind -> whether a value is of that kind."""


def is_count(value: Any) -> bool:
    """Whether it is a whole number from 0."""
    return type(value) is int and value >= 0


def is_seconds(value: Any) -> bool:
    """Whether it is a number of seconds from 0."""
    return type(value) in (int, float) and value >= 0


def is_positive(value: Any) -> bool:
    """Whether it is a number above 0."""
    return type(value) in (int, float) and value > 0


def is_text(value: Any) -> bool:
    """Whether it is a text."""
    return isinstance(value, str)


def changed(options: Options, changes: Mapping[str, Any], choices: Choices, free: Free) -> Options:
    """`options` with `changes`; raises ValueError naming the first that cannot be."""
    for name, value in changes.items():
        if value in choices.get(name, ()) or (name in free and free[name](value)):
            continue
        others = f", or a number or text for {', '.join(free)}" if free else ""
        raise ValueError(f"option {name!r} cannot be {value!r}; choose from {choices}{others}")
    made: Options = dataclasses.replace(options, **changes)
    return made
