"""What is sent to Laserfiche: the export call with every option of seed 001, checked before.

Field names are the seed's; each bound stands there.
"""

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from export_pipeline.vendors.laserfiche.emoji import EMOJI

PAGE_PREFIX_CHARACTERS = 10
WATERMARK_CHARACTERS = 100
INT32_MAX = 2**31 - 1
"""FACTS 2.2: entry and audit reason ids are int32."""
_PAGES = re.compile(r"([1-9]\d*)(?:-([1-9]\d*))?", re.ASCII)
_NOT_IN_FILE_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


class Part(StrEnum):
    """The part of a document that an export brings; each is an artifact kind."""

    IMAGE = "Image"
    TEXT = "Text"
    EDOC = "Edoc"

    @property
    def kind(self) -> str:
        """Its artifact kind."""
        return self.value.lower()


class ImageFormat(StrEnum):
    """The format of an exported image."""

    MULTI_PAGE_TIFF = "MultiPageTIFF"
    SINGLE_PAGE_TIFF = "SinglePageTIFF"
    PNG = "PNG"
    PDF = "PDF"
    JPEG = "JPEG"


class Position(StrEnum):
    """Where on the page a watermark stands."""

    TOP_LEFT = "TopLeft"
    TOP_CENTER = "TopCenter"
    TOP_RIGHT = "TopRight"
    MIDDLE_LEFT = "MiddleLeft"
    DEAD_CENTER = "DeadCenter"
    MIDDLE_RIGHT = "MiddleRight"
    BOTTOM_LEFT = "BottomLeft"
    BOTTOM_CENTER = "BottomCenter"
    BOTTOM_RIGHT = "BottomRight"


def _utf16_length(text: str) -> int:
    """How many characters the vendor's .NET counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _page_range(text: str) -> str:
    for piece in text.split(","):
        found = _PAGES.fullmatch(piece)
        if found is None or int(found[1]) > int(found[2] or found[1]):
            raise ValueError("write pages and ranges from 1, such as 1,3,4 or 1-3,5-7,9")
    return text


def _page_prefix(text: str) -> str:
    if _utf16_length(text) > PAGE_PREFIX_CHARACTERS:
        raise ValueError(f"it has more than {PAGE_PREFIX_CHARACTERS} characters")
    if _NOT_IN_FILE_NAMES.search(text):
        raise ValueError('file names cannot have < > : " / \\ | ? * or control characters')
    return text


def _watermark_text(text: str) -> str:
    if not text.strip():
        raise ValueError("it is blank")
    if _utf16_length(text) > WATERMARK_CHARACTERS:
        raise ValueError(f"it has more than {WATERMARK_CHARACTERS} characters")
    if EMOJI.search(text):
        raise ValueError("the vendor draws no emojis")
    return text


def _one_character(text: str) -> str:
    if _utf16_length(text) != 1 or not text.strip():
        raise ValueError("it must be one character, and no white space")
    return text


PageRange = Annotated[str, AfterValidator(_page_range)]


def selected_pages(page_range: str | None, pages: int) -> int:
    """How many of a document's pages a range names; all without one."""
    if page_range is None:
        return pages
    bounds = [piece.partition("-") for piece in page_range.split(",")]
    chosen = {
        page
        for first, _, last in bounds
        for page in range(int(first), min(int(last or first), pages) + 1)
    }
    return len(chosen)


class _Outgoing(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    def to_json(self) -> dict[str, Any]:
        """What was set, under the vendor's names; the vendor's defaults hold for all else."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Watermark(_Outgoing):
    """What is written over each page."""

    text: Annotated[str, AfterValidator(_watermark_text)]
    position: Position = Position.DEAD_CENTER
    rotation_angle: int = Field(default=0, ge=0, le=360)
    page_span_percentage: int = Field(default=50, ge=1, le=100)


class ImageOptions(_Outgoing):
    """How the image part is exported."""

    format: ImageFormat = ImageFormat.MULTI_PAGE_TIFF
    jpeg_compression_level: int = Field(
        default=70,
        ge=0,
        le=100,
        # FACTS 2.2: the guide writes the first name, the API's schema and official client this.
        validation_alias=AliasChoices("jpegCompressionLevel", "jPEGCompressionLevel"),
        serialization_alias="jPEGCompressionLevel",
    )
    include_annotations: bool = True
    convert_pdf_annotations: bool = True
    page_prefix: Annotated[str, AfterValidator(_page_prefix)] = ", Page "
    include_redactions: bool = True
    watermark: Watermark | None = None


class TextOptions(_Outgoing):
    """How the text part is exported."""

    include_redactions: bool = True
    redaction_character: Annotated[str, AfterValidator(_one_character)] = "X"


class ExportRequest(_Outgoing):
    """The body of an export call, synchronous or not."""

    part: Part
    audit_reason_id: int | None = Field(default=None, ge=0, le=INT32_MAX)
    audit_reason_comment: str | None = None
    image_options: ImageOptions | None = None
    text_options: TextOptions | None = None


class SearchRequest(_Outgoing):
    """The body of a search call (FACTS 2.7)."""

    search_command: str = Field(min_length=1)
