"""One line of an import file as CloudConvert's scans have it."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from export_pipeline.errors import BadInput
from export_pipeline.storage.options import in_words
from export_pipeline.vendors.cloudconvert.details import TAG_BEGIN, Kind, ScanDetails, is_uuid
from export_pipeline.vendors.cloudconvert.models import Moment
from export_pipeline.vendors.vendor import Registration

SCAN = "scan"
KIND = "kind"
EXPIRES_AT = "expires_at"
WAYS = ("delivery", "inline", "archive_multiple_files")
FIELDS = (SCAN, KIND, *WAYS, EXPIRES_AT)
"""The names of the columns (CSV) or members (JSON) that a line may have."""
_NAMED = (Kind.JOB, Kind.TASK, Kind.TAG)
_MOMENT: TypeAdapter[Any] = TypeAdapter(Moment)


def read_line(line: Mapping[str, Any]) -> Registration:
    """Read one line: texts as a CSV file gives them, or values as JSON does; "" is not given.

    `scan` is the id of a job, with `kind` also that of a task, or a tag.

    Raises:
        BadInput: names the field that cannot be used and why.
    """
    unknown = [name for name in line if name not in FIELDS]
    if unknown:
        raise BadInput(f"{unknown[0]!r} is no field of a scan: use {', '.join(FIELDS)}")
    told = {name: value for name, value in line.items() if value not in (None, "")}
    expires_at = _seconds(told.pop(EXPIRES_AT, None))
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
    return _details(kind or Kind.JOB, told).registration(scan, expires_at)


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


def _details(kind: Kind, told: Mapping[str, Any]) -> ScanDetails:
    try:
        return ScanDetails.model_validate({"kind": kind, **told})
    except ValidationError as error:
        reason = in_words(error)
    raise BadInput(reason)


def _seconds(value: object) -> float | None:
    if value is None:
        return None
    try:
        return float(_MOMENT.validate_python(value).timestamp())
    except ValidationError as error:
        reason = error.errors(include_input=False, include_url=False)[0]["msg"]
    raise BadInput(f"{EXPIRES_AT}: {reason}")
