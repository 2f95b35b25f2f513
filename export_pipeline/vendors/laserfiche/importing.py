"""One line of an import file as Laserfiche's scans have it: an entry, and how it is exported."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from export_pipeline.errors import BadInput
from export_pipeline.validation import in_words
from export_pipeline.vendors.laserfiche.client import is_entry_id
from export_pipeline.vendors.laserfiche.details import ExportOptions, ScanDetails
from export_pipeline.vendors.laserfiche.models import INT32_MAX, Part
from export_pipeline.vendors.lines import SCAN, given
from export_pipeline.vendors.vendor import Registration

PARTS = "part"
OPTIONS = (
    "pageRange",
    "auditReason",
    "auditReasonId",
    "auditReasonComment",
    "imageOptions.format",
    "imageOptions.jpegCompressionLevel",
    "imageOptions.includeAnnotations",
    "imageOptions.convertPdfAnnotations",
    "imageOptions.pagePrefix",
    "imageOptions.includeRedactions",
    "imageOptions.watermark.text",
    "imageOptions.watermark.position",
    "imageOptions.watermark.rotationAngle",
    "imageOptions.watermark.pageSpanPercentage",
    "textOptions.includeRedactions",
    "textOptions.redactionCharacter",
)
"""Seed 001's own names; `auditReason` is the reason's name, in place of its id."""
FIELDS = (SCAN, PARTS, *OPTIONS)
"""The names of the columns (CSV) or members (JSON) that a line may have."""
BLANKS = ("auditReasonComment", "imageOptions.pagePrefix")
"""Those of which "" is a value (seed 001)."""
_SEPARATORS = re.compile(r"[;,\s]+")
_PARTS = {part.value.casefold(): part for part in Part}


def read_line(line: Mapping[str, Any]) -> Registration:
    """Read one line: texts as a CSV file gives them, or values as JSON does.

    "" is unknown but for `BLANKS`; the empty cells of a CSV file are not told at all.

    Raises:
        BadInput: names the field that cannot be used and why.
    """
    told = given(line, FIELDS, BLANKS)
    details = ScanDetails(parts=_parts(told.get(PARTS)), options=_options(told))
    return Registration(_scan(told.get(SCAN)), details.to_json())


def _scan(value: Any) -> str:
    if value is None:
        raise BadInput(f"{SCAN}: there is none")
    text = str(value).strip()
    if isinstance(value, bool) or not is_entry_id(text):
        raise BadInput(
            f"{SCAN}: {value!r:.80} is no entry's id: it is a number from 1 to {INT32_MAX}"
        )
    return text


def _parts(value: Any) -> tuple[Part, ...] | None:
    if value is None:
        return None
    words = _SEPARATORS.split(value.strip("; ,")) if isinstance(value, str) else value
    if not isinstance(words, list):
        raise BadInput(f"{PARTS}: neither a list nor parts apart by spaces or semicolons")
    unknown = [word for word in words if str(word).casefold() not in _PARTS]
    if unknown or not words:
        raise BadInput(f"{PARTS}: {unknown[:1]!r:.80} is none: use {', '.join(Part)}")
    return tuple(dict.fromkeys(_PARTS[str(word).casefold()] for word in words))


def _options(told: Mapping[str, Any]) -> ExportOptions:
    nested: dict[str, Any] = {}
    for name in OPTIONS:
        if name in told:
            *outer, last = name.split(".")
            inner = nested
            for step in outer:
                inner = inner.setdefault(step, {})
            inner[last] = told[name]
    try:
        return ExportOptions.model_validate(nested)
    except ValidationError as error:
        reason = in_words(error)
    raise BadInput(reason)
