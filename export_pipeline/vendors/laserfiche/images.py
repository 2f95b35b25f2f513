"""Opening an exported image: one file of any of seed 001's formats, or a ZIP of pages."""

import struct
from typing import Any, BinaryIO

from export_pipeline.errors import Unreadable
from export_pipeline.vendors.openers import PDF_MAGIC, ZIP_MAGICS, open_pdf, open_zip

MAGIC_BYTES = 8
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"
JPEG_END = b"\xff\xd9"
PNG_END = b"IEND\xaeB`\x82"
_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
_CLASSIC = 42
_BIG = 43
"""BigTIFF, whose offsets have eight bytes: for files above 4 GB."""


def open_image(file: BinaryIO) -> dict[str, Any]:
    """Tell an image's format and count its pages.

    Raises:
        Unreadable: it is none of the formats that the vendor exports, or not whole.
    """
    magic = file.read(MAGIC_BYTES)
    file.seek(0)
    if magic[:2] in _BYTE_ORDERS:
        return {"format": "tiff", "pages": count_tiff_pages(file)}
    if magic.startswith(PDF_MAGIC):
        return {"format": "pdf", **open_pdf(file, strict=False)}
    if magic == PNG_MAGIC:
        return {"format": "png", "pages": _ends_with(file, PNG_END, "PNG")}
    if magic.startswith(JPEG_MAGIC):
        return {"format": "jpeg", "pages": _ends_with(file, JPEG_END, "JPEG")}
    if magic.startswith(ZIP_MAGICS):
        found = open_zip(file)
        if not found["files"]:
            raise Unreadable("a ZIP without pages")
        return {"format": "zip", "pages": found.pop("files"), **found}
    raise Unreadable("neither TIFF, PDF, PNG, JPEG nor ZIP")


def count_tiff_pages(file: BinaryIO) -> int:
    """Count a TIFF's pages by following the chain of its image file directories (TIFF 6.0).

    Raises:
        Unreadable: it is no TIFF, its chain leads out of the file or round in a circle, or is
            empty.
    """
    try:
        return _count_directories(file)
    except struct.error:
        raise Unreadable("a TIFF that ends within a directory: it is cut off") from None


def _count_directories(file: BinaryIO) -> int:
    order = _BYTE_ORDERS.get(file.read(2))
    if order is None:
        raise Unreadable("not a TIFF: it begins with neither II nor MM")
    version = _read(file, f"{order}H")
    if version not in (_CLASSIC, _BIG):
        raise Unreadable(f"not a TIFF: its version is {version}")
    count_format, entry_bytes, offset_format = (f"{order}H", 12, f"{order}I")
    if version == _BIG:
        count_format, entry_bytes, offset_format = (f"{order}Q", 20, f"{order}Q")
        file.seek(8)
    seen: set[int] = set()
    while offset := _read(file, offset_format):
        if offset in seen:
            raise Unreadable("a TIFF whose directories lead round in a circle")
        seen.add(offset)
        file.seek(offset)
        file.seek(offset + struct.calcsize(count_format) + _read(file, count_format) * entry_bytes)
    if not seen:
        raise Unreadable("a TIFF without pages")
    return len(seen)


def _read(file: BinaryIO, layout: str) -> int:
    (value,) = struct.unpack(layout, file.read(struct.calcsize(layout)))
    return int(value)


def _ends_with(file: BinaryIO, end: bytes, name: str) -> int:
    """The one page of an image that ends as it should; zeros after its end are put up with."""
    file.seek(0, 2)
    file.seek(max(0, file.tell() - 4096))
    if end not in file.read():
        raise Unreadable(f"a {name} without its end: it is cut off")
    return 1
