"""A line of an import file, whichever vendor's: its fields, and the moments in them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from export_pipeline.errors import BadInput

SCAN = "scan"
EXPIRES_AT = "expires_at"


def given(
    line: Mapping[str, Any], fields: Sequence[str], blanks: Collection[str] = ()
) -> dict[str, Any]:
    """What a line says, without what it leaves empty.

    Args:
        line: field -> value.
        fields: those that there are.
        blanks: those of which "" is a value too.

    Raises:
        BadInput: it has another field than these.
    """
    unknown = [name for name in line if name not in fields]
    if unknown:
        raise BadInput(f"{unknown[0]!r} is no field of a scan: use {', '.join(fields)}")
    return {
        name: value
        for name, value in line.items()
        if value is not None and (value != "" or name in blanks)
    }


def seconds(value: object, moment: TypeAdapter[Any]) -> float | None:
    """When the scan ends, in seconds since the epoch; `moment` reads it as the vendor writes it.

    Raises:
        BadInput: it is no moment.
    """
    if value is None:
        return None
    try:
        return float(moment.validate_python(value).timestamp())
    except ValidationError as error:
        reason = error.errors(include_input=False, include_url=False)[0]["msg"]
    raise BadInput(f"{EXPIRES_AT}: {reason.removeprefix('Value error, ')}")
