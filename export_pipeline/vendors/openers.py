"""Opening files of the common formats: what each tells of itself, or why it does not open."""

import codecs
from collections.abc import Callable
from typing import Any, BinaryIO
from zipfile import ZipFile, ZipInfo

from pypdf import PdfReader

from export_pipeline.errors import Doubtful, Unreadable

PIECE_BYTES = 1 << 20
NAMES_LISTED = 1_000
"""Names of a ZIP's files that are kept; all are counted."""
TESTED_BYTES = 1 << 30
"""Unpacked, of one ZIP: 40 KB can say that they are petabytes. What is beyond is listed alone."""
PDF_MAGIC = b"%PDF-"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
"""Of a file with members, and of one without."""
_ENCRYPTED = 0x1
_BOMS = (
    # Of UTF-32 first: its little-endian mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)

Opener = Callable[[BinaryIO], dict[str, Any]]


def by_others(opener: Opener) -> Opener:
    """Let `opener` doubt where it would refuse: for files that others made and the vendor keeps.

    Such a file comes the same at every order, and is evidence as it is.
    """

    def opened(file: BinaryIO) -> dict[str, Any]:
        try:
            return opener(file)
        except Unreadable as error:
            raise Doubtful(str(error)) from error

    return opened


def open_pdf(file: BinaryIO, *, strict: bool = True) -> dict[str, Any]:
    """Count a PDF's pages.

    Args:
        file: from its start.
        strict: whether flaws that viewers put up with count; an encrypted one is then a flaw too.

    Raises:
        Unreadable: it is no PDF, or has no pages.
    """
    try:
        reader = PdfReader(file, strict=strict)
        if reader.is_encrypted and not strict:
            return {"encrypted": True}
        pages = len(reader.pages)
    except Exception as error:
        raise Unreadable(f"not a readable PDF: {error or type(error).__name__}") from error
    if not pages:
        raise Unreadable("a PDF without pages")
    return {"pages": pages}


def open_zip(file: BinaryIO) -> dict[str, Any]:
    """List a ZIP's files and test their checksums, piece by piece and not unpacked to disk.

    Of a file that is encrypted, or packed in a way that Python does not know, the name alone is
    read.

    Raises:
        Unreadable: it is no ZIP, or one of its files is not as its checksum says.
    """
    try:
        with ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            left = TESTED_BYTES
            for member in members:
                left -= member.file_size
                if left >= 0:
                    _test(archive, member)
    except Exception as error:
        raise Unreadable(f"not a readable ZIP: {error or type(error).__name__}") from error
    return {"files": len(members), "names": [one.filename for one in members[:NAMES_LISTED]]}


def _test(archive: ZipFile, member: ZipInfo) -> None:
    if member.flag_bits & _ENCRYPTED:
        return
    try:
        with archive.open(member) as content:
            while content.read(PIECE_BYTES):
                pass
    except NotImplementedError:
        return


def open_document(file: BinaryIO) -> dict[str, Any]:
    """Open an electronic document if it is a PDF or a ZIP, as those of office programs are.

    Raises:
        Unreadable: it says that it is one and does not open.
    """
    magic = file.read(len(PDF_MAGIC))
    file.seek(0)
    if magic.startswith(PDF_MAGIC):
        return {"format": "pdf", **open_pdf(file, strict=False)}
    if magic.startswith(ZIP_MAGICS):
        return {"format": "zip", **open_zip(file)}
    return {}


def open_text(file: BinaryIO) -> dict[str, Any]:
    """Count a text's characters: UTF-8, or what its byte order mark says.

    Raises:
        Unreadable: it cannot be decoded.
    """
    head = file.read(len(codecs.BOM_UTF32_LE))
    encoding = next((name for mark, name in _BOMS if head.startswith(mark)), "utf-8")
    decoder = codecs.getincrementaldecoder(encoding)()
    characters, piece = 0, head
    try:
        while piece:
            characters += len(decoder.decode(piece))
            piece = file.read(PIECE_BYTES)
        characters += len(decoder.decode(b"", final=True))
    except UnicodeError as error:
        raise Unreadable(f"not a text in {encoding}: {error}") from error
    return {"encoding": encoding.removesuffix("-sig"), "characters": characters}
