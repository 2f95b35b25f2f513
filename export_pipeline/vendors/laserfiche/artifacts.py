"""Laserfiche's artifacts: one kind for each part, which of them an entry has, how they open."""

import re
from collections.abc import Collection, Sequence

from export_pipeline.ledger.rows import Scan
from export_pipeline.vendors.artifacts import ArtifactKind, Availability, PlannedArtifact
from export_pipeline.vendors.laserfiche.details import EntryFacts, ExportOptions, ScanDetails
from export_pipeline.vendors.laserfiche.images import open_image
from export_pipeline.vendors.laserfiche.models import (
    ImageFormat,
    ImageOptions,
    Part,
    selected_pages,
)
from export_pipeline.vendors.openers import by_others, open_document, open_text

ANY_TYPE = "application/octet-stream"
ZIP_SUFFIX = "zip"
_IMAGE_SUFFIXES = {
    ImageFormat.MULTI_PAGE_TIFF: "tiff",
    ImageFormat.SINGLE_PAGE_TIFF: ZIP_SUFFIX,
    ImageFormat.PNG: "png",
    ImageFormat.PDF: "pdf",
    ImageFormat.JPEG: "jpg",
}
_ONE_FILE_A_PAGE = (ImageFormat.PNG, ImageFormat.JPEG)
_EXTENSION = re.compile(r"[a-z0-9]{1,16}")


KINDS = (
    ArtifactKind(
        Part.IMAGE.kind,
        "The document's pages: TIFF, PDF, PNG or JPEG, or a ZIP of one file a page.",
        ANY_TYPE,
        open_image,
    ),
    ArtifactKind(
        Part.TEXT.kind,
        "The text of the document's pages.",
        "text/plain",
        by_others(open_text),
    ),
    ArtifactKind(
        Part.EDOC.kind,
        "The electronic document as it was put into the repository.",
        ANY_TYPE,
        by_others(open_document),
    ),
)
PART_OF_KIND = {part.kind: part for part in Part}


def plan(
    scan: Scan, parts: Collection[Part], defaults: ExportOptions | None
) -> list[PlannedArtifact]:
    """Every part of the scan that is asked for, with what is known of it.

    Args:
        scan: its `details` are a `ScanDetails`.
        parts: what is asked for where the scan does not say; empty: all.
        defaults: how it is exported where the scan does not say.
    """
    details = ScanDetails.model_validate(scan.details)
    wanted = details.parts or parts or tuple(Part)
    options = details.options.over(defaults)
    return [artifact(part, options, details.entry) for part in Part if part in wanted]


def parts(artifacts: Sequence[PlannedArtifact]) -> list[list[PlannedArtifact]]:
    """One order for each: an export brings one part (seed 001)."""
    return [[artifact] for artifact in artifacts]


def artifact(part: Part, options: ExportOptions, entry: EntryFacts | None) -> PlannedArtifact:
    """The file that a part's export brings, as far as the entry is known."""
    facts = entry or EntryFacts()
    if part == Part.EDOC and facts.is_electronic is False:
        return absent(part, facts, "the entry has no electronic document")
    availability = Availability.EXPECTED
    if part != Part.EDOC and facts.pages == 0:
        if part == Part.IMAGE or not facts.is_electronic:
            return absent(part, facts, "the entry has no pages")
        # No document of the vendor's says whether text can be had of a file without pages.
        availability = Availability.UNKNOWN
    name = f"{part.kind}.{_suffix(part, options, facts)}"
    return PlannedArtifact(part.kind, name, facts.name, availability)


def absent(part: Part, facts: EntryFacts, reason: str) -> PlannedArtifact:
    """A part that the entry lacks; without a suffix, so that it replaces what was planned."""
    return PlannedArtifact(part.kind, part.kind, facts.name, Availability.ABSENT, reason)


def _suffix(part: Part, options: ExportOptions, facts: EntryFacts) -> str:
    if part == Part.TEXT:
        return "txt"
    if part == Part.EDOC:
        extension = (facts.extension or "").lower().lstrip(".")
        return extension if _EXTENSION.fullmatch(extension) else "bin"
    image = (options.image_options or ImageOptions()).format
    # FACTS 2.2: a ZIP where there are several files; of PNG and JPEG the seed does not say so.
    pages = selected_pages(options.page_range, facts.pages or 0)
    is_many = image in _ONE_FILE_A_PAGE and pages > 1
    return ZIP_SUFFIX if is_many else _IMAGE_SUFFIXES[image]
