"""The bytes of each part of a document, the same on every export of the same options."""

import hashlib
import io
import json
from collections.abc import Sequence
from urllib.parse import quote
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from export_pipeline.sandbox.files import File
from export_pipeline.sandbox.images import jpeg, png, tiff
from export_pipeline.sandbox.laserfiche.entries import DOCUMENT, Entry
from export_pipeline.sandbox.laserfiche.errors import ProblemError, invalid
from export_pipeline.sandbox.laserfiche.orders import ExportOrder
from export_pipeline.sandbox.pdf import pdf

PAGE_PREFIX = ", Page "
SECRET = "account 4711-0815"  # noqa: S105  what the text part redacts
REDACTION = "X"
LEAST_PDF_PAGES = 1
_EPOCH = (2026, 1, 1, 0, 0, 0)
_MEDIA_TYPES = {
    "tiff": "image/tiff",
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "zip": "application/zip",
    "txt": "text/plain",
}
_SUFFIXES = {"MultiPageTIFF": "tiff", "SinglePageTIFF": "tiff", "PNG": "png", "JPEG": "jpg"}


def content(entry: Entry, order: ExportOrder) -> tuple[File, str]:
    """The file of an export and its name, or the vendor's refusal."""
    if entry.spec.type != DOCUMENT:
        raise invalid("Only documents can be exported.")
    if order.part == "Edoc":
        body, suffix = _edoc(entry)
    elif order.part == "Text":
        body, suffix = _text(entry, order), "txt"
    else:
        body, suffix = _image(entry, order)
    media_type = _MEDIA_TYPES.get(suffix, "application/octet-stream")
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return File(
        body, media_type, etag
    ), f"{entry.spec.name}.{suffix}" if suffix else entry.spec.name


def disposition(name: str) -> str:
    """The header that names a file (FACTS 2.5)."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


def _edoc(entry: Entry) -> tuple[bytes, str]:
    size, suffix = entry.spec.edoc_bytes, (entry.spec.extension or "").lower()
    if size is None:
        raise invalid("The document has no electronic document.")
    mark = _mark(entry.id, "Edoc", entry.modified)
    if suffix == "pdf":
        return pdf(max(entry.spec.pages, LEAST_PDF_PAGES), size, mark), suffix
    if suffix in ("zip", "docx", "xlsx"):
        return _zip([("content.xml", mark.encode().ljust(size))]), suffix
    return mark.encode().ljust(size)[:size], suffix


def _text(entry: Entry, order: ExportOrder) -> bytes:
    shown = SECRET
    if order.text.get("includeRedactions", True):
        shown = str(order.text.get("redactionCharacter") or REDACTION) * len(SECRET)
    pages = [f"Page {page} of {entry.spec.name}: {shown}" for page in _chosen(entry, order)]
    return "\f".join(pages).encode()


def _image(entry: Entry, order: ExportOrder) -> tuple[bytes, str]:
    pages = _chosen(entry, order)
    marks = [_mark(entry.id, page, entry.modified, order.image) for page in pages]
    if order.format == "MultiPageTIFF":
        return tiff(marks), "tiff"
    if order.format == "PDF":
        return pdf(len(pages), mark=marks[0]), "pdf"
    make = {"SinglePageTIFF": lambda mark: tiff([mark]), "PNG": png, "JPEG": jpeg}[order.format]
    suffix = _SUFFIXES[order.format]
    if len(pages) == 1 and order.format != "SinglePageTIFF":
        return make(marks[0]), suffix
    prefix = order.image.get("pagePrefix", PAGE_PREFIX)
    names = [f"{entry.spec.name}{prefix}{page}.{suffix}".replace("/", "_") for page in pages]
    return _zip(list(zip(names, map(make, marks), strict=True))), "zip"


def _chosen(entry: Entry, order: ExportOrder) -> Sequence[int]:
    if not entry.spec.pages:
        raise invalid("The document has no pages.")
    everything = range(1, entry.spec.pages + 1)
    if order.pages is None:
        return everything
    if order.pages[-1] > entry.spec.pages:
        raise ProblemError(400, "Invalid or bad request.", "pageRange: the document ends before.")
    return order.pages


def _zip(files: Sequence[tuple[str, bytes]]) -> bytes:
    made = io.BytesIO()
    with ZipFile(made, "w") as archive:
        for name, body in files:
            archive.writestr(ZipInfo(name, _EPOCH), body, ZIP_DEFLATED)
    return made.getvalue()


def _mark(*facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
