"""The tags by which jobs of ours are known again: the vendor chooses their ids (FACTS 4.2)."""

import re

BEGIN = "export-pipeline-"
"""So that the jobs of whatever home shares the account are told from the team's own."""
_ORDER = re.compile(rf"{BEGIN}([0-9a-f]{{32}})")


def tag_of(order_id: str) -> str:
    """The tag of the job that an order makes."""
    return BEGIN + order_id


def is_ours(tag: object) -> bool:
    """Whether a job was made by an order, of this home or of another."""
    return isinstance(tag, str) and tag.startswith(BEGIN)


def order_of(tag: object) -> str | None:
    """The order that a tag names, None if it is no tag of ours."""
    found = _ORDER.fullmatch(tag) if isinstance(tag, str) else None
    return found[1] if found else None
