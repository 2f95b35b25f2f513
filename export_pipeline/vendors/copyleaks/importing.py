"""One line of an import file as Copyleaks's scans have it."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from export_pipeline.errors import BadInput
from export_pipeline.vendors.copyleaks.details import ScanDetails
from export_pipeline.vendors.copyleaks.models import ID, RESULT_NAME_BYTES, makes_file_name
from export_pipeline.vendors.lines import EXPIRES_AT, SCAN, given
from export_pipeline.vendors.vendor import Registration

RESULT_IDS = "result_ids"
FLAGS = ("pdf_report", "ai_detection", "writing_feedback", "overview")
FIELDS = (SCAN, RESULT_IDS, EXPIRES_AT, *FLAGS)
"""The names of the columns (CSV) or members (JSON) that a line may have."""
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
"""Ours: an end beyond this is a mistake, for example milliseconds."""
_SEPARATORS = re.compile(r"[;\s]+")
_NUMBER = re.compile(r"\d+(\.\d+)?")


def read_line(line: Mapping[str, Any]) -> Registration:
    """Read one line: texts as a CSV file gives them, or values as JSON does; "" is unknown.

    Raises:
        BadInput: names the field that cannot be used and why.
    """
    told = given(line, FIELDS)
    enabled = {name: _flag(name, told[name]) for name in FLAGS if name in told}
    details = ScanDetails(result_ids=_result_ids(told.get(RESULT_IDS)), enabled=enabled or None)
    return Registration(_scan(told.get(SCAN)), details.to_json(), _moment(told.get(EXPIRES_AT)))


def _scan(value: Any) -> str:
    if value is None:
        raise BadInput(f"{SCAN}: there is none")
    try:
        return ID.validate_python(_text(SCAN, value))
    except ValidationError:
        pass
    raise BadInput(
        f"{SCAN}: {value!r:.80} is no id of Copyleaks: it takes 3 to 36 of letters, digits and"
        """ !@$^&-+%=_(){}<>';:/.",~`|"""
    )


def _result_ids(value: Any) -> list[str] | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = _json_list(value) if value.startswith("[") else _SEPARATORS.split(value.strip("; "))
    if not isinstance(value, list):
        raise BadInput(f"{RESULT_IDS}: neither a list nor ids apart by spaces or semicolons")
    return [_result_id(one) for one in dict.fromkeys(_text(RESULT_IDS, one) for one in value)]


def _json_list(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadInput(f"{RESULT_IDS}: begins with [ and is not a JSON list") from None


def _result_id(text: str) -> str:
    if not (text.isprintable() and makes_file_name(text)):
        raise BadInput(
            f"{RESULT_IDS}: {text!r:.80} is not printable, or not at most {RESULT_NAME_BYTES} bytes"
            " as a file name, where capitals and signs take three"
        )
    return text


def _text(field: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadInput(f"{field}: {value!r:.80} is not a text")
    return str(value).strip()


def _flag(field: str, value: Any) -> bool:
    words = {"true": True, "false": False}
    known = words.get(str(value).strip().casefold())
    if known is None:
        raise BadInput(f"{field}: {value!r:.80} is neither true nor false; empty is unknown")
    return known


def _moment(value: Any) -> float | None:
    if value is None:
        return None
    text = str(value) if isinstance(value, float) else _text(EXPIRES_AT, value)
    try:
        moment = float(text) if _NUMBER.fullmatch(text) else _iso(text)
    except (ValueError, OverflowError):
        raise BadInput(
            f"{EXPIRES_AT}: {text!r:.80} is neither ISO 8601 (2026-03-01T12:00:00Z) nor seconds"
            " since 1970"
        ) from None
    if not EARLIEST <= moment <= LATEST:
        raise BadInput(f"{EXPIRES_AT}: {text!r:.80} is not between 2000 and 2100: in seconds?")
    return moment


def _iso(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
