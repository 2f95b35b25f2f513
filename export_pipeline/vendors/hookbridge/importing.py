"""One line of an import file as HookBridge's scans have it."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from export_pipeline.errors import BadInput
from export_pipeline.validation import in_words
from export_pipeline.vendors.hookbridge.details import ExportDetails
from export_pipeline.vendors.hookbridge.filters import Filters, Moment
from export_pipeline.vendors.lines import EXPIRES_AT, SCAN, given, seconds
from export_pipeline.vendors.vendor import Registration

WINDOW = ("start_time", "end_time")
FIELDS = (SCAN, *Filters.model_fields, EXPIRES_AT)
"""The names of the columns (CSV) or members (JSON) that a line may have."""
_MOMENT: TypeAdapter[Any] = TypeAdapter(Moment)


def read_line(line: Mapping[str, Any]) -> Registration:
    """Read one line: texts as a CSV file gives them, or values as JSON does; "" is not given.

    `scan` is an export's id, to adopt it, or a window such as `2026-11-21`, in place of which
    `start_time` and `end_time` may be given; filters narrow a window.

    Raises:
        BadInput: names the field that cannot be used and why.
    """
    told = given(line, FIELDS)
    expires_at, scan = told.pop(EXPIRES_AT, None), told.pop(SCAN, None)
    details = ExportDetails(filters=_filters(told)) if scan is None else _named(scan, told)
    return details.registration(seconds(expires_at, _MOMENT))


def _named(scan: object, told: Mapping[str, Any]) -> ExportDetails:
    details = ExportDetails.of_scan_id(str(scan).strip().lower())
    if details is None:
        raise BadInput(
            f"{SCAN}: {scan!r:.80} is neither an export's id nor a window such as 2026-11-21"
        )
    refused = WINDOW if details.filters else tuple(Filters.model_fields)
    if clash := [name for name in told if name in refused]:
        raise BadInput(f"{clash[0]}: {SCAN} says it already; leave one of them empty")
    if details.filters is None:
        return details
    return ExportDetails(filters=_filters({**details.filters.to_json(), **told}))


def _filters(told: Mapping[str, Any]) -> Filters:
    try:
        return Filters.model_validate(told)
    except ValidationError as error:
        reason = in_words(error)
    raise BadInput(reason)
