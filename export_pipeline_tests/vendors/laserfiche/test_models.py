from typing import Any

import pytest
from pydantic import ValidationError

from export_pipeline.sandbox.laserfiche.emoji import has_emoji
from export_pipeline.validation import in_words
from export_pipeline.vendors.laserfiche.details import EntryFacts, ExportOptions, ScanDetails
from export_pipeline.vendors.laserfiche.emoji import EMOJI
from export_pipeline.vendors.laserfiche.models import ExportRequest, Part, selected_pages
from export_pipeline.vendors.laserfiche.placing import export_call
from export_pipeline_tests.sandbox.laserfiche.contract import request_problems

EVERYTHING: dict[str, Any] = {
    "pageRange": "1-3,5-7,9",
    "auditReasonId": 7,
    "auditReasonComment": "for the archive",
    "imageOptions": {
        "format": "PNG",
        "jpegCompressionLevel": 100,
        "includeAnnotations": False,
        "convertPdfAnnotations": False,
        "pagePrefix": ", Seite ",
        "includeRedactions": False,
        "watermark": {
            "text": "x" * 100,
            "position": "BottomRight",
            "rotationAngle": 360,
            "pageSpanPercentage": 1,
        },
    },
    "textOptions": {"includeRedactions": False, "redactionCharacter": "█"},
}


def wrong(**changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        ExportOptions.model_validate(changes)
    return in_words(caught.value)


def watermark(**changes: Any) -> dict[str, Any]:
    return {"imageOptions": {"watermark": {"text": "Copy"} | changes}}


@pytest.mark.parametrize(
    ("part", "options"),
    [(Part.IMAGE, {"imageOptions"}), (Part.TEXT, {"textOptions"}), (Part.EDOC, set())],
)
def test_what_is_sent_is_what_the_document_of_the_vendor_allows(
    part: Part, options: set[str]
) -> None:
    asked = ExportOptions.model_validate(EVERYTHING)
    call = export_call("12", part, asked, asked.audit_reason_id)
    body = call.body.to_json()
    assert set(body) == {"part", "auditReasonId", "auditReasonComment"} | options
    assert call.pages == (None if part == Part.EDOC else "1-3,5-7,9")
    for operation in ("Export", "ExportAsync"):
        url = f"/v2/Repositories/r/Entries/12/{operation}?pageRange=1"
        assert request_problems("POST", url, body) == []


def test_what_is_not_set_is_not_sent() -> None:
    assert ExportRequest(part=Part.IMAGE).to_json() == {"part": "Image"}


def test_the_compression_level_goes_out_under_the_name_of_the_vendors_schema() -> None:
    image = ExportOptions.model_validate(EVERYTHING).image_options
    assert image is not None
    assert image.to_json()["jPEGCompressionLevel"] == 100
    assert "jpegCompressionLevel" not in image.to_json()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"imageOptions": {"format": "TIFF"}}, "imageOptions.format"),
        ({"imageOptions": {"jpegCompressionLevel": 101}}, "imageOptions.jpegCompressionLevel"),
        ({"imageOptions": {"jpegCompressionLevel": -1}}, "imageOptions.jpegCompressionLevel"),
        ({"imageOptions": {"jpegCompressionLevel": 7.5}}, "imageOptions.jpegCompressionLevel"),
        ({"imageOptions": {"includeAnnotations": "maybe"}}, "imageOptions.includeAnnotations"),
        ({"imageOptions": {"pagePrefix": "x" * 11}}, "imageOptions.pagePrefix"),
        ({"imageOptions": {"pagePrefix": "\U0001f600" * 6}}, "imageOptions.pagePrefix"),
        ({"imageOptions": {"pagePrefix": "a/../b%2f"}}, "imageOptions.pagePrefix"),
        ({"imageOptions": {"pagePrefix": "a\x00"}}, "imageOptions.pagePrefix"),
        ({"imageOptions": {"nonsense": 1}}, "imageOptions.nonsense"),
        (watermark(text=""), "imageOptions.watermark.text"),
        (watermark(text=" \t\u2003"), "imageOptions.watermark.text"),
        (watermark(text="x" * 101), "imageOptions.watermark.text"),
        (watermark(text="Copy \U0001f600"), "imageOptions.watermark.text"),
        (watermark(text="\u2b50"), "imageOptions.watermark.text"),
        (watermark(text="\u2764\ufe0f"), "imageOptions.watermark.text"),
        (watermark(text="with \u2764"), "imageOptions.watermark.text"),
        (watermark(text="\u2611 read"), "imageOptions.watermark.text"),
        (watermark(text="1\u20e3"), "imageOptions.watermark.text"),
        (watermark(position="Center"), "imageOptions.watermark.position"),
        (watermark(rotationAngle=361), "imageOptions.watermark.rotationAngle"),
        (watermark(rotationAngle=-1), "imageOptions.watermark.rotationAngle"),
        (watermark(pageSpanPercentage=0), "imageOptions.watermark.pageSpanPercentage"),
        (watermark(pageSpanPercentage=101), "imageOptions.watermark.pageSpanPercentage"),
        ({"imageOptions": {"watermark": {"position": "TopLeft"}}}, "imageOptions.watermark.text"),
        ({"textOptions": {"redactionCharacter": ""}}, "textOptions.redactionCharacter"),
        ({"textOptions": {"redactionCharacter": "XX"}}, "textOptions.redactionCharacter"),
        ({"textOptions": {"redactionCharacter": "\u00a0"}}, "textOptions.redactionCharacter"),
        ({"textOptions": {"redactionCharacter": "\U0001f600"}}, "textOptions.redactionCharacter"),
        ({"auditReasonId": 2**31}, "auditReasonId"),
        ({"auditReason": ""}, "auditReason"),
        ({"auditReason": "x", "auditReasonId": 1}, "set auditReason (its name) or auditReasonId"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_what_the_seed_rules_out_is_refused_with_the_field_named(
    options: dict[str, Any], field: str
) -> None:
    assert wrong(**options).startswith((f"{field}: ", f"{field}, "))


@pytest.mark.parametrize("text", ["© ® ™", "✓ copied", "#1 * 100 %", "日本 \u3220", "→", "x" * 100])
def test_a_plain_sign_in_a_watermark_is_no_emoji(text: str) -> None:
    ExportOptions.model_validate(watermark(text=text))


def test_client_and_sandbox_agree_on_every_character_whether_it_is_an_emoji() -> None:
    everything = [chr(code) for code in range(0x20000)]
    assert [one for one in everything if bool(EMOJI.search(one)) != has_emoji(one)] == []


@pytest.mark.parametrize("text", ["1", "1,3,4", "1-3,5-7,9", "2-2"])
def test_a_page_range_of_the_seeds_grammar_is_taken(text: str) -> None:
    assert ExportOptions.model_validate({"pageRange": text}).page_range == text


@pytest.mark.parametrize(
    "text", ["", "0", "5-", "-5", "3-1", "1,,2", "1;2", "a", "1 - 2", "\u0661"]
)
def test_any_other_page_range_is_refused(text: str) -> None:
    assert wrong(pageRange=text).startswith("pageRange: ")


@pytest.mark.parametrize(
    ("text", "pages", "chosen"),
    [(None, 7, 7), ("1-3,2", 7, 3), ("5-999999999", 7, 3), ("8", 7, 0), ("1,3,4", 7, 3)],
)
def test_the_pages_that_a_range_names_are_counted(
    text: str | None, pages: int, chosen: int
) -> None:
    assert selected_pages(text, pages) == chosen


def test_a_scans_own_options_stand_over_the_settings() -> None:
    defaults = ExportOptions.model_validate(EVERYTHING)
    own = ExportOptions.model_validate({"auditReason": "Legal hold", "imageOptions": {}})
    found = own.over(defaults)
    assert (found.audit_reason, found.audit_reason_id) == ("Legal hold", None)
    assert found.image_options is not None
    assert found.image_options.to_json() == {}
    assert found.page_range == "1-3,5-7,9"


def test_details_come_back_as_they_were_kept() -> None:
    details = ScanDetails(
        parts=(Part.TEXT,),
        options=ExportOptions.model_validate(EVERYTHING),
        entry=EntryFacts(name="a/../b%2f", pages=3),
    )
    kept = details.to_json()
    assert ScanDetails.model_validate(kept) == details
    assert ScanDetails().to_json() == {}
