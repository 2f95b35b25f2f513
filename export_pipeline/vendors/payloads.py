"""Reading what vendors send: what is wrong with a payload, in words."""

from pydantic import ValidationError

PROBLEMS_SHOWN = 3


def problems(error: ValidationError) -> str:
    """What is wrong with a payload, in words and without its values."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    texts = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'the whole'}:"
        f" {problem['msg'].removeprefix('Value error, ')}"
        for problem in found[:PROBLEMS_SHOWN]
    ]
    more = len(found) - len(texts)
    return "; ".join([*texts, *([f"and {more} more"] if more else [])])
