"""The body and query of an export call, validated as seed 001 and FACTS 2.2 state them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from export_pipeline.sandbox.laserfiche.emoji import has_emoji
from export_pipeline.sandbox.laserfiche.errors import invalid

PARTS = ("Image", "Text", "Edoc")
FORMATS = ("MultiPageTIFF", "SinglePageTIFF", "PNG", "PDF", "JPEG")
POSITIONS = tuple(
    "DeadCenter" if (row, column) == ("Middle", "Center") else row + column
    for row in ("Top", "Middle", "Bottom")
    for column in ("Left", "Center", "Right")
)
PREFIX_CHARACTERS = 10
WATERMARK_CHARACTERS = 100
COMPRESSION = (0, 100)
ROTATION = (0, 360)
SPAN = (1, 100)
INT32 = (-(2**31), 2**31 - 1)
# FACTS 2.2: seed and schema write this name differently; either is taken, in any case.
COMPRESSION_FIELD = "jpegcompressionlevel"
FORBIDDEN_IN_NAMES = set('<>:"/\\|?*') | {chr(code) for code in range(32)}
MOST_PAGES = 100_000
_RANGE = re.compile(r"([1-9]\d{0,8})(?:-([1-9]\d{0,8}))?", re.ASCII)


@dataclass(frozen=True)
class ExportOrder:
    """One export call; `pages` are those of the range, None for all."""

    part: str
    image: Mapping[str, Any]
    text: Mapping[str, Any]
    pages: tuple[int, ...] | None
    reason: int | None

    @property
    def format(self) -> str:
        """The image format."""
        return str(self.image.get("format", FORMATS[0]))


def read_order(body: object, page_range: str | None) -> ExportOrder:
    """The order in a call, or a 400 that names what is wrong."""
    known = {"part", "auditReasonId", "auditReasonComment", "imageOptions", "textOptions"}
    fields = _object("request", body, known)
    part = _one_of("part", fields.get("part"), PARTS)
    _text("auditReasonComment", fields.get("auditReasonComment"))
    reason = fields.get("auditReasonId")
    if reason is not None:
        _number("auditReasonId", reason, INT32)
    return ExportOrder(
        part,
        _image(fields.get("imageOptions")),
        _text_options(fields.get("textOptions")),
        # Seed 001: ignored when the document is exported as Edoc.
        None if part == "Edoc" or page_range is None else _pages(page_range),
        reason,
    )


def _image(value: object) -> Mapping[str, Any]:
    name = "imageOptions"
    told = {} if value is None else value
    if isinstance(told, dict):
        told = {_compression_name(key): one for key, one in told.items()}
    known = {COMPRESSION_FIELD, "format", "includeAnnotations", "convertPdfAnnotations"}
    fields = _object(name, told, known | {"pagePrefix", "includeRedactions", "watermark"})
    if "format" in fields:
        _one_of(f"{name}.format", fields["format"], FORMATS)
    if COMPRESSION_FIELD in fields:
        _number(f"{name}.jpegCompressionLevel", fields[COMPRESSION_FIELD], COMPRESSION)
    for flag in ("includeAnnotations", "convertPdfAnnotations", "includeRedactions"):
        _flag(f"{name}.{flag}", fields.get(flag))
    prefix = _text(f"{name}.pagePrefix", fields.get("pagePrefix")) or ""
    if len(prefix) > PREFIX_CHARACTERS or FORBIDDEN_IN_NAMES & set(prefix):
        raise invalid(f"{name}.pagePrefix: at most {PREFIX_CHARACTERS} file name characters.")
    if fields.get("watermark") is not None:
        _watermark(fields["watermark"])
    return fields


def _compression_name(key: str) -> str:
    return COMPRESSION_FIELD if key.lower() == COMPRESSION_FIELD else key


def _watermark(value: object) -> None:
    name = "imageOptions.watermark"
    known = {"text", "position", "rotationAngle", "pageSpanPercentage"}
    fields = _object(name, value, known)
    text = _text(f"{name}.text", fields.get("text")) or ""
    if not text.strip() or len(text) > WATERMARK_CHARACTERS or has_emoji(text):
        raise invalid(f"{name}.text: 1 to {WATERMARK_CHARACTERS} characters, not blank, no emoji.")
    if "position" in fields:
        _one_of(f"{name}.position", fields["position"], POSITIONS)
    _number(f"{name}.rotationAngle", fields.get("rotationAngle", 0), ROTATION)
    _number(f"{name}.pageSpanPercentage", fields.get("pageSpanPercentage", SPAN[1]), SPAN)


def _text_options(value: object) -> Mapping[str, Any]:
    name = "textOptions"
    told = {} if value is None else value
    fields = _object(name, told, {"includeRedactions", "redactionCharacter"})
    _flag(f"{name}.includeRedactions", fields.get("includeRedactions"))
    character = _text(f"{name}.redactionCharacter", fields.get("redactionCharacter"))
    if character is not None and (len(character) != 1 or character.isspace()):
        raise invalid(f"{name}.redactionCharacter: one character, no white space.")
    return fields


def _pages(text: str) -> tuple[int, ...]:
    pages: set[int] = set()
    for piece in text.split(","):
        found = _RANGE.fullmatch(piece)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last or last > MOST_PAGES:
            raise invalid("pageRange: pages and ranges such as 1,3,4 or 1-3,5-7,9.")
        pages.update(range(first, last + 1))
    return tuple(sorted(pages))


def _object(name: str, value: object, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise invalid(f"{name}: an object is needed.")
    unknown = sorted(value.keys() - known)
    if unknown:
        raise invalid(f"{name}.{unknown[0]}: there is no such field.")
    return value


def _one_of(name: str, value: object, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise invalid(f"{name}: one of {', '.join(choices)}.")
    return value


def _number(name: str, value: object, bounds: tuple[int, int]) -> None:
    if type(value) is not int or not bounds[0] <= value <= bounds[1]:
        raise invalid(f"{name}: a whole number from {bounds[0]} to {bounds[1]}.")


def _flag(name: str, value: object) -> None:
    if value is not None and not isinstance(value, bool):
        raise invalid(f"{name}: true or false.")


def _text(name: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise invalid(f"{name}: a string.")
