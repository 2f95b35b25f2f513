"""What pydantic finds wrong, as sentences that name the field and never its value."""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import ValidationError

PROBLEMS_SHOWN = 5


class Problem(NamedTuple):
    """What is wrong with one field.

    Args:
        name: the outermost field; "" where a model as a whole is wrong.
        words: a sentence that begins with the field's path, where there is one.
    """

    name: str
    words: str


def problems(error: ValidationError, begin: str = "", *, needs: str = "") -> list[Problem]:
    """Everything that is wrong.

    Args:
        error: of a model.
        begin: what stands before each field's name, as in the environment before an alias.
        needs: what lacks a field that is not set; given where the fields are variables.
    """
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return [
        Problem(
            name := begin + str(one["loc"][0]) if one["loc"] else "",
            f"{name} is not set: {needs} needs it"
            if needs and one["type"] == "missing"
            else _sentence(begin, one["loc"], one["msg"]),
        )
        for one in found
    ]


def in_words(error: ValidationError, begin: str = "", *, needs: str = "") -> str:
    """As one sentence, of many problems the first `PROBLEMS_SHOWN`; see `problems`."""
    found = [one.words for one in problems(error, begin, needs=needs)]
    more = len(found) - PROBLEMS_SHOWN
    return "; ".join([*found[:PROBLEMS_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def _sentence(begin: str, place: Sequence[str | int], words: str) -> str:
    # A check of several fields has no location; its own words name them.
    path = [begin + ".".join(map(str, place))] if place else []
    return ": ".join([*path, words.removeprefix("Value error, ")])
