import io
from typing import Any

import pytest

from export_pipeline.errors import Unreadable
from export_pipeline.sandbox.images import jpeg, png, tiff
from export_pipeline.sandbox.laserfiche.contents import _zip
from export_pipeline.sandbox.pdf import pdf
from export_pipeline.vendors.artifacts import Availability, PlannedArtifact
from export_pipeline.vendors.laserfiche.artifacts import KINDS, open_document, parts, plan
from export_pipeline.vendors.laserfiche.details import ExportOptions
from export_pipeline.vendors.laserfiche.images import open_image
from export_pipeline.vendors.laserfiche.models import Part
from export_pipeline_tests.vendors.rows import scan

PAGES = {"name": "Plans", "pages": 3, "is_electronic": False}
ZIP = _zip([("a, Page 1.png", png("1")), ("a, Page 2.png", png("2"))])

BROKEN_ZIP = ZIP[:60] + bytes([ZIP[60] ^ 0xFF]) + ZIP[61:]


def planned(**details: Any) -> list[PlannedArtifact]:
    return plan(scan("laserfiche", "12", **details), (), ExportOptions())


def names(**details: Any) -> list[str]:
    return [one.name for one in planned(**details)]


def of_format(image_format: str, **entry: Any) -> str:
    options = {"imageOptions": {"format": image_format}}
    (one,) = planned(parts=["Image"], options=options, entry=entry)
    return one.name


def test_each_part_is_a_kind() -> None:
    assert [kind.name for kind in KINDS] == ["image", "text", "edoc"]


def test_of_an_entry_that_nobody_looked_at_all_parts_are_expected() -> None:
    found = planned()
    assert [one.name for one in found] == ["image.tiff", "text.txt", "edoc.bin"]
    assert {one.availability for one in found} == {Availability.EXPECTED}


def test_a_scan_says_which_parts_it_has_and_else_the_settings_do() -> None:
    assert names(parts=["Edoc", "Image"]) == ["image.tiff", "edoc.bin"]
    found = plan(scan("laserfiche", "12"), (Part.TEXT,), ExportOptions())
    assert [one.kind for one in found] == ["text"]


def test_a_part_that_the_entry_lacks_is_absent_with_the_reason() -> None:
    image, text, edoc = planned(entry=PAGES)
    assert (image.availability, text.availability) == (Availability.EXPECTED,) * 2
    assert (edoc.name, edoc.availability) == ("edoc", Availability.ABSENT)
    assert edoc.reason == "the entry has no electronic document"
    paper = planned(entry={"pages": 0, "is_electronic": False, "name": "x"})
    assert {one.availability for one in paper} == {Availability.ABSENT}


def test_text_of_a_file_without_pages_is_asked_for_and_may_be_refused() -> None:
    image, text, edoc = planned(entry={"pages": 0, "is_electronic": True, "extension": "docx"})
    assert image.availability == Availability.ABSENT
    assert text.availability == Availability.UNKNOWN
    assert edoc.name == "edoc.docx"


@pytest.mark.parametrize(
    ("image_format", "pages", "name"),
    [
        ("MultiPageTIFF", 3, "image.tiff"),
        ("SinglePageTIFF", 1, "image.zip"),
        ("PDF", 3, "image.pdf"),
        ("PNG", 1, "image.png"),
        ("PNG", 2, "image.zip"),
        ("JPEG", 1, "image.jpg"),
        ("JPEG", 2, "image.zip"),
    ],
)
def test_a_file_is_named_by_format_and_pages(image_format: str, pages: int, name: str) -> None:
    assert of_format(image_format, pages=pages) == name


@pytest.mark.parametrize(
    ("page_range", "name"),
    [("2", "image.png"), ("2-2", "image.png"), ("9-20", "image.png"), ("2,8", "image.zip")],
)
def test_one_page_of_several_is_one_image(page_range: str, name: str) -> None:
    options = {"pageRange": page_range, "imageOptions": {"format": "PNG"}}
    (one,) = planned(parts=["Image"], options=options, entry={"pages": 9})
    assert one.name == name


@pytest.mark.parametrize(
    ("extension", "name"),
    [
        ("PDF", "edoc.pdf"),
        (".docx", "edoc.docx"),
        ("", "edoc.bin"),
        ("../../x", "edoc.bin"),
        ("a/../b%2f", "edoc.bin"),
        ("ß", "edoc.bin"),
        ("x" * 17, "edoc.bin"),
    ],
)
def test_an_extension_becomes_part_of_a_name_only_if_it_is_harmless(
    extension: str, name: str
) -> None:
    (one,) = planned(parts=["Edoc"], entry={"extension": extension, "is_electronic": True})
    assert one.name == name


def test_each_part_is_an_order_of_its_own() -> None:
    found = planned()
    assert parts(found) == [[one] for one in found]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (tiff(["a"] * 3), {"format": "tiff", "pages": 3}),
        (pdf(4), {"format": "pdf", "pages": 4}),
        (png("x"), {"format": "png", "pages": 1}),
        (jpeg("x"), {"format": "jpeg", "pages": 1}),
        (ZIP, {"format": "zip", "pages": 2, "names": ["a, Page 1.png", "a, Page 2.png"]}),
    ],
)
def test_an_image_of_each_format_opens_and_tells_its_pages(
    body: bytes, told: dict[str, Any]
) -> None:
    assert open_image(io.BytesIO(body)) == told


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "neither TIFF"),
        (b"<html>", "neither TIFF"),
        (b"\0" * 500, "neither TIFF"),
        (tiff(["a"] * 3)[:-20], "cut off"),
        (tiff(["a"] * 3)[:6], "cut off"),
        (b"II*\0\0\0\0\0", "without pages"),
        (b"II\x07\0\x08\0\0\0", "its version is 7"),
        (pdf(1)[:-200], "not a readable PDF"),
        (png("x")[:-4], "cut off"),
        (jpeg("x")[:-3], "cut off"),
        (ZIP[:-30], "not a readable ZIP"),
        (BROKEN_ZIP, "not a readable ZIP"),
        (_zip([]), "without pages"),
    ],
)
def test_an_image_that_is_broken_does_not_open(body: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        open_image(io.BytesIO(body))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (pdf(2), {"format": "pdf", "pages": 2}),
        (_zip([("word/document.xml", b"<w/>")]), {"format": "zip", "files": 1}),
        (b"\xd0\xcf\x11\xe0 an old office file", {}),
        (b"", {}),
    ],
)
def test_an_electronic_document_opens_if_it_says_what_it_is(
    body: bytes, told: dict[str, Any]
) -> None:
    found = open_document(io.BytesIO(body))
    assert {name: one for name, one in found.items() if name != "names"} == told


def test_a_document_that_says_that_it_is_a_pdf_and_is_cut_off_does_not_open() -> None:
    with pytest.raises(Unreadable, match="not a readable PDF"):
        open_document(io.BytesIO(b"%PDF-1.4\nand then nothing"))
