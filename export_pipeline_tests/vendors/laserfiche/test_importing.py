from io import BytesIO
from typing import Any

import pytest

from export_pipeline.errors import BadInput
from export_pipeline.vendors.laserfiche.details import ScanDetails
from export_pipeline.vendors.laserfiche.importing import FIELDS, OPTIONS, read_line
from export_pipeline.vendors.laserfiche.models import Part
from export_pipeline.workflow.tables import read_lines
from export_pipeline_tests.sandbox.laserfiche.contract import document

LINE = {
    "scan": "12",
    "part": "image; Text",
    "pageRange": "1-3",
    "auditReason": "Legal hold",
    "imageOptions.format": "JPEG",
    "imageOptions.jpegCompressionLevel": "80",
    "imageOptions.includeAnnotations": "false",
    "imageOptions.watermark.text": "Copy",
    "imageOptions.watermark.rotationAngle": "45",
    "textOptions.redactionCharacter": "#",
}


def names(schema: str) -> set[str]:
    return set(document()["components"]["schemas"][schema]["properties"])


def test_every_option_of_the_vendors_document_can_be_imported() -> None:
    def told(prefix: str) -> set[str]:
        rest = (name.removeprefix(prefix) for name in OPTIONS if name.startswith(prefix))
        return {name.partition(".")[0].replace("jpegC", "jPEGC") for name in rest}

    assert told("imageOptions.watermark.") == names("ExportEntryRequestWatermark")
    assert told("imageOptions.") == names("ExportEntryRequestImageOptions")
    assert told("textOptions.") == names("ExportEntryRequestTextOptions")
    body = names("ExportEntryRequest") - {"part"}
    assert told("") == body | {"pageRange", "auditReason"}


def test_a_line_of_texts_is_read() -> None:
    found = read_line(LINE)
    details = ScanDetails.model_validate(found.details)
    assert (found.scan, details.parts) == ("12", (Part.IMAGE, Part.TEXT))
    assert details.options.audit_reason == "Legal hold"
    image = details.options.image_options
    assert image is not None
    assert image.watermark is not None
    assert (image.jpeg_compression_level, image.include_annotations) == (80, False)
    assert image.watermark.rotation_angle == 45


def test_a_line_of_json_values_is_read() -> None:
    line = {"scan": 12, "part": ["Edoc"], "imageOptions.jpegCompressionLevel": 80}
    assert ScanDetails.model_validate(read_line(line).details).parts == (Part.EDOC,)


def test_an_empty_text_is_told_where_it_is_one_that_the_vendor_takes() -> None:
    line = {"scan": 12, "imageOptions.pagePrefix": "", "auditReasonComment": "", "pageRange": ""}
    told = {"imageOptions": {"pagePrefix": ""}, "auditReasonComment": ""}
    assert read_line(line).details == {"options": told}


def test_a_table_has_the_options_in_capitals_of_any_kind_and_its_empty_cells_tell_nothing() -> None:
    header = b"scan,pageRange,imageoptions.pagePrefix,IMAGEOPTIONS.FORMAT"
    lines = read_lines(BytesIO(header + b"\n12,1-2,,PNG\n"), FIELDS)
    found = [read_line(line.fields).details for line in lines]
    assert found == [{"options": {"pageRange": "1-2", "imageOptions": {"format": "PNG"}}}]


def test_an_id_alone_is_enough() -> None:
    assert read_line({"scan": " 2147483647 ", "part": "", "pageRange": None}).details == {}


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({}, "scan"),
        ({"scan": "0"}, "scan"),
        ({"scan": "2147483648"}, "scan"),
        ({"scan": "012"}, "scan"),
        ({"scan": True}, "scan"),
        ({"scan": 'a/../b%2f;:"<x>'}, "scan"),
        ({"scan": "\u0663"}, "scan"),
        ({"scan": "9" * 5000}, "scan"),
        ({"scan": 1, "part": "Picture"}, "part"),
        ({"scan": 1, "part": ";"}, "part"),
        ({"scan": 1, "part": 7}, "part"),
        ({"scan": 1, "part": [None]}, "part"),
        ({"scan": 1, "imageOptions.format": "GIF"}, "imageOptions.format"),
        ({"scan": 1, "imageOptions.watermark.position": "TopLeft"}, "imageOptions.watermark.text"),
        ({"scan": 1, "pageRange": "5-"}, "pageRange"),
        ({"scan": 1, "expires_at": "2026-01-01"}, "'expires_at' is no field of a scan"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(line: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_line(line)
    assert str(caught.value).startswith(field)
    assert len(str(caught.value)) < 1000


def test_the_fields_begin_with_the_scan() -> None:
    assert FIELDS[:2] == ("scan", "part")
