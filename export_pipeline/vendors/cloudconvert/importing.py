"""One line of an import file as CloudConvert's scans have it."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from export_pipeline.errors import BadInput
from export_pipeline.validation import in_words
from export_pipeline.vendors.cloudconvert.details import TAG_BEGIN, Kind, ScanDetails, is_uuid
from export_pipeline.vendors.fields import Moment
from export_pipeline.vendors.lines import EXPIRES_AT, SCAN, given, seconds
from export_pipeline.vendors.vendor import Registration

KIND = "kind"
WAYS = ("delivery", "inline", "archive_multiple_files")
FIELDS = (SCAN, KIND, *WAYS, EXPIRES_AT)
"""The names of the columns (CSV) or members (JSON) that a line may have."""
_NAMED = (Kind.JOB, Kind.TASK, Kind.TAG)
_MOMENT: TypeAdapter[Any] = TypeAdapter(Moment)


def read_line(line: Mapping[str, Any]) -> Registration:
    """Read one line: texts as a CSV file gives them, or values as JSON does; "" is not given.

    `scan` is the id of a job or task, which `kind` can say, or with it a tag.

    Raises:
        BadInput: names the field that cannot be used and why.
    """
    told = given(line, FIELDS)
    expires_at = seconds(told.pop(EXPIRES_AT, None), _MOMENT)
    kind, scan = _kind(told.pop(KIND, None)), _scan(told.pop(SCAN, None))
    if kind == Kind.TAG:
        scan = scan if scan.startswith(TAG_BEGIN) else TAG_BEGIN + scan
    elif scan.startswith(TAG_BEGIN) and kind is None:
        kind = Kind.TAG
    elif not is_uuid(scan := scan.lower()):
        raise BadInput(
            f"{SCAN}: {scan!r:.80} is no id of a job or task, such as"
            " 6559c281-ed85-4728-80db-414561c631e9; of a tag, say so in `kind`"
        )
    return _details(kind, told).registration(scan, expires_at)


def _kind(value: object) -> Kind | None:
    if value is None:
        return None
    found = next((kind for kind in _NAMED if kind == str(value).strip().lower()), None)
    if found is None:
        raise BadInput(f"{KIND}: {value!r:.80} is none: use {', '.join(_NAMED)}")
    return found


def _scan(value: object) -> str:
    text = "" if value is None else str(value).strip()
    if not text:
        raise BadInput(f"{SCAN}: there is none")
    return text


def _details(kind: Kind | None, told: Mapping[str, Any]) -> ScanDetails:
    try:
        return ScanDetails.model_validate({**({KIND: kind} if kind else {}), **told})
    except ValidationError as error:
        reason = in_words(error)
    raise BadInput(reason)
