"""Conversions: of text and PDFs into PDFs and images, and of many files into one."""

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import PurePosixPath

from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError

from export_pipeline.sandbox.cloudconvert.tasks import Json, MadeFile
from export_pipeline.sandbox.images import png
from export_pipeline.sandbox.pdf import pdf

PAGE_BREAK = b"\f"
_PDF = b"%PDF-"
_PDF_A_2B = b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"><pdfaid:part>2</pdfaid:part>
<pdfaid:conformance>B</pdfaid:conformance></rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


class NotConvertible(Exception):
    """The files cannot be converted so; the text is what the vendor says."""


def convert(payload: Json, files: Sequence[MadeFile]) -> list[MadeFile]:
    """Each file in the format asked for; one of several pages becomes an image for each."""
    kind = str(payload["output_format"])
    make = _FORMATS.get(kind)
    if make is None:
        raise NotConvertible(f"Conversion to {kind} is not supported")
    return [one for file in files for one in _named(file, kind, make(file.body, payload), payload)]


def merge(payload: Json, files: Sequence[MadeFile]) -> list[MadeFile]:
    """All files as one PDF, in their order."""
    if payload["output_format"] != "pdf":
        raise NotConvertible("Files can be merged into a pdf only")
    writer = PdfWriter()
    for file in files:
        writer.append(_reader(_as_pdf(file.body)))
    return [MadeFile(payload.get("filename") or "merged.pdf", _written(writer))]


def archive(payload: Json, files: Sequence[MadeFile]) -> list[MadeFile]:
    """All files in one ZIP."""
    if payload["output_format"] != "zip":
        raise NotConvertible("Files can be packed into a zip only")
    return [MadeFile(payload.get("filename") or "archive.zip", zipped(files))]


CONVERSIONS: Mapping[str, Callable[[Json, Sequence[MadeFile]], list[MadeFile]]] = {
    "convert": convert,
    "merge": merge,
    "archive": archive,
}


def apart(files: Sequence[MadeFile]) -> list[MadeFile]:
    """The files, those that share folder and name in folders of their own, by number."""
    found: dict[tuple[str, ...], MadeFile] = {}
    for number, file in enumerate(files, 1):
        one = file
        while one.parts in found:
            one = replace(one, dir=f"{one.dir}{number}")
        found[one.parts] = one
    return list(found.values())


def zipped(files: Sequence[MadeFile]) -> bytes:
    """A ZIP of the files, each in its folder."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        for file in apart(files):
            # With a time of its own each ZIP of the same files would be another one.
            opened.writestr(zipfile.ZipInfo("/".join(file.parts)), file.body)
    return packed.getvalue()


def _to_pdf(body: bytes, payload: Json) -> list[bytes]:
    whole = _as_pdf(body)
    if payload.get("pdf_a") is not True:
        return [whole]
    writer = PdfWriter(clone_from=_reader(whole))
    writer.xmp_metadata = _PDF_A_2B
    return [_written(writer)]


def _to_images(body: bytes, _: Json) -> list[bytes]:
    pages = len(_reader(_as_pdf(body)).pages)
    return [png(f"{_mark(body)} {page}") for page in range(1, pages + 1)]


_FORMATS: Mapping[str, Callable[[bytes, Json], list[bytes]]] = {
    "pdf": _to_pdf,
    "png": _to_images,
}


def _as_pdf(body: bytes) -> bytes:
    """A PDF as it is, any other file as text with as many pages as it has page breaks."""
    if body.startswith(_PDF):
        _reader(body)
        return body
    return pdf(body.count(PAGE_BREAK) + 1, mark=_mark(body))


def _reader(body: bytes) -> PdfReader:
    try:
        reader = PdfReader(io.BytesIO(body))
        len(reader.pages)
    except (PyPdfError, ValueError) as error:
        raise NotConvertible("The input file is no valid PDF") from error
    return reader


def _written(writer: PdfWriter) -> bytes:
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def _named(file: MadeFile, kind: str, bodies: Sequence[bytes], payload: Json) -> list[MadeFile]:
    given = payload.get("filename") or f"{PurePosixPath(file.filename).stem}.{kind}"
    if len(bodies) == 1:
        return [MadeFile(given, bodies[0], file.dir)]
    stem = PurePosixPath(given).stem
    return [
        MadeFile(f"{stem}-{page}.{kind}", body, file.dir) for page, body in enumerate(bodies, 1)
    ]


def _mark(body: bytes) -> str:
    return sha256(body).hexdigest()
