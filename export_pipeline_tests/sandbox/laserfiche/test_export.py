import io
import zipfile

import pytest

from export_pipeline.sandbox import SteppedClock
from export_pipeline.sandbox.laserfiche import EntrySpec
from export_pipeline_tests.sandbox.laserfiche.api import Api
from export_pipeline_tests.sandbox.laserfiche.conftest import StartApi
from export_pipeline_tests.sandbox.laserfiche.contract import request_problems
from export_pipeline_tests.sandbox.laserfiche.stepping import stepped

PLANS = EntrySpec("Plans", pages=3)
WATERMARK = {"text": "Copy", "position": "TopLeft", "rotationAngle": 45, "pageSpanPercentage": 100}
IMAGE = {
    "format": "PDF",
    "jPEGCompressionLevel": 0,
    "includeAnnotations": False,
    "convertPdfAnnotations": False,
    "pagePrefix": "p-",
    "includeRedactions": False,
    "watermark": WATERMARK,
}


def exported(api: Api, entry: str, part: str = "Image", **options: object) -> bytes:
    answer = api.export(entry, part, **options)
    assert answer.status_code == 200, answer.text
    return api.download(answer.json()["value"]).content


def test_what_the_guide_shows_is_what_is_answered(api: Api) -> None:
    (entry,) = api.add(PLANS)
    told = api.export(entry).json()
    assert set(told) == {"@odata.context", "value"}
    assert told["@odata.context"].endswith(f"/entries({entry})/Export")
    task = api.start(entry)
    (shown,) = api.tasks(task)
    assert {"id", "taskType", "percentComplete", "status", "startTime", "lastUpdateTime"} < set(
        shown
    )
    assert (shown["taskType"], shown["status"], shown["percentComplete"]) == (
        "ExportEntry",
        "Completed",
        100,
    )
    assert shown["result"]["entryId"] == int(entry)
    assert api.download(shown["result"]["uri"]).content == api.download(told["value"]).content


@pytest.mark.parametrize(
    ("image_format", "magic"),
    [
        ("MultiPageTIFF", b"II*\0"),
        ("PDF", b"%PDF-"),
        ("SinglePageTIFF", b"PK\x03\x04"),
        ("PNG", b"PK\x03\x04"),
        ("JPEG", b"PK\x03\x04"),
    ],
)
def test_each_format_has_its_own_bytes(api: Api, image_format: str, magic: bytes) -> None:
    (entry,) = api.add(PLANS)
    assert exported(api, entry, imageOptions={"format": image_format}).startswith(magic)


def test_the_pages_of_a_zip_have_the_prefix(api: Api) -> None:
    (entry,) = api.add(PLANS)
    body = exported(api, entry, imageOptions={"format": "PNG", "pagePrefix": "-"})
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.namelist() == ["Plans-1.png", "Plans-2.png", "Plans-3.png"]


def test_redactions_of_a_text_are_of_the_character_asked_for(api: Api) -> None:
    (entry,) = api.add(PLANS)
    hidden = exported(api, entry, "Text", textOptions={"redactionCharacter": "#"})
    shown = exported(api, entry, "Text", textOptions={"includeRedactions": False})
    assert b"##########" in hidden
    assert b"4711" in shown
    assert b"4711" not in hidden


def test_a_file_is_named_as_the_entry_and_has_no_charset(api: Api) -> None:
    (entry,) = api.add(EntrySpec('Ä "b"/c;', pages=1))
    link = api.export(entry, imageOptions={"format": "PDF"}).json()["value"]
    answer = api.download(link)
    assert answer.headers["Content-Type"] == "application/pdf"
    named = answer.headers["Content-Disposition"]
    assert named == "attachment; filename*=UTF-8''%C3%84%20%22b%22%2Fc%3B.pdf"
    assert int(answer.headers["Content-Length"]) == len(answer.content) > 0


@pytest.mark.parametrize("text", ["© ® ™", "#1 * 100 %", "日本 \u3220", "→ ✓"])
def test_a_plain_sign_in_a_watermark_is_no_emoji(api: Api, text: str) -> None:
    (entry,) = api.add(PLANS)
    options = {"watermark": {**WATERMARK, "text": text}}
    assert api.export(entry, imageOptions=options).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"part": "image"},
        {"part": None},
        {"part": "Image", "format": "PDF"},
        {"part": "Image", "auditReasonId": "1"},
        {"part": "Image", "auditReasonId": 3},
        {"part": "Image", "auditReasonId": 99},
        {"part": "Image", "auditReasonComment": 1},
        {"part": "Image", "imageOptions": {"format": "TIFF"}},
        {"part": "Image", "imageOptions": {"jpegCompressionLevel": 101}},
        {"part": "Image", "imageOptions": {"jpegCompressionLevel": -1}},
        {"part": "Image", "imageOptions": {"JPEGCompressionLevel": True}},
        {"part": "Image", "imageOptions": {"includeAnnotations": "yes"}},
        {"part": "Image", "imageOptions": {"pagePrefix": "x" * 11}},
        {"part": "Image", "imageOptions": {"pagePrefix": "a/b"}},
        {"part": "Image", "imageOptions": {"watermark": {"text": "  "}}},
        {"part": "Image", "imageOptions": {"watermark": {"text": "x" * 101}}},
        {"part": "Image", "imageOptions": {"watermark": {"text": "ok \U0001f600"}}},
        {"part": "Image", "imageOptions": {"watermark": {"text": "\u2b50"}}},
        {"part": "Image", "imageOptions": {"watermark": {"text": "with \u2764"}}},
        {"part": "Image", "imageOptions": {"watermark": {"text": "\u2611 read"}}},
        {"part": "Image", "imageOptions": {"watermark": {"text": "1\u20e3"}}},
        {"part": "Image", "imageOptions": {"watermark": {**WATERMARK, "position": "Left"}}},
        {"part": "Image", "imageOptions": {"watermark": {**WATERMARK, "rotationAngle": 361}}},
        {"part": "Image", "imageOptions": {"watermark": {**WATERMARK, "pageSpanPercentage": 0}}},
        {"part": "Text", "textOptions": {"redactionCharacter": "XX"}},
        {"part": "Text", "textOptions": {"redactionCharacter": " "}},
        {"part": "Text", "textOptions": {"redactionCharacter": ""}},
        [],
        "Image",
    ],
)
def test_what_the_seed_rules_out_is_refused(api: Api, wrong: object) -> None:
    (entry,) = api.add(PLANS)
    for operation in ("Export", "ExportAsync"):
        answer = api.call("POST", f"/Entries/{entry}/{operation}", wrong)
        assert answer.status_code == 400
        assert answer.json()["detail"]
    assert api.stats()["orders"] == []


@pytest.mark.parametrize("name", ["jpegCompressionLevel", "jPEGCompressionLevel"])
def test_every_option_of_the_seed_is_taken_under_either_name_of_the_one(
    api: Api, name: str
) -> None:
    (entry,) = api.add(PLANS)
    image = {name: 100, **{key: one for key, one in IMAGE.items() if "JPEG" not in key}}
    body = {"part": "Image", "auditReasonId": 1, "auditReasonComment": "c", "imageOptions": image}
    answer = api.call("POST", f"/Entries/{entry}/Export?pageRange=1-2,3", body)
    assert answer.status_code == 200


def test_the_document_knows_the_one_name_alone() -> None:
    url = "/v2/Repositories/r/Entries/1/Export"
    assert request_problems("POST", url, {"part": "Image", "imageOptions": IMAGE}) == []
    guide = {"part": "Image", "imageOptions": {"jpegCompressionLevel": 1}}
    assert request_problems("POST", url, guide)


@pytest.mark.parametrize("pages", ["", "0", "3-1", "1-", "a", "1;2", "4", "1,,2"])
def test_a_range_of_pages_that_makes_no_sense_is_refused(api: Api, pages: str) -> None:
    (entry,) = api.add(PLANS)
    answer = api.call("POST", f"/Entries/{entry}/Export?pageRange={pages}", {"part": "Image"})
    assert answer.status_code == 400


def test_a_range_is_ignored_for_the_electronic_document(api: Api) -> None:
    (entry,) = api.add(EntrySpec("x", extension="bin", edoc_bytes=10))
    answer = api.call("POST", f"/Entries/{entry}/Export?pageRange=999", {"part": "Edoc"})
    assert answer.status_code == 200


@pytest.mark.parametrize("part", ["Image", "Text", "Edoc"])
def test_a_part_that_the_document_lacks_is_refused(api: Api, part: str) -> None:
    (entry,) = api.add(EntrySpec("empty"))
    assert api.export(entry, part).status_code == 400


def test_an_export_needs_a_reason_where_the_policy_says_so(start_api: StartApi) -> None:
    api = start_api(audit_required=True)
    (entry,) = api.add(PLANS)
    assert api.export(entry).status_code == 400
    assert api.export(entry, auditReasonId=2).status_code == 200


@pytest.mark.parametrize("status", [500, 408, 504])
def test_a_synchronous_export_fails_after_a_minute(
    start_api: StartApi, clock: SteppedClock, status: int
) -> None:
    api = start_api(clock, sync_timeout=status)
    (slow,) = api.add(EntrySpec("slow", pages=1, work_seconds=61))
    assert stepped(clock, 60, lambda: api.export(slow)).status_code == status


def test_a_locked_entry_is_refused_at_once_and_not_as_a_task(api: Api) -> None:
    (entry,) = api.add(EntrySpec("x", pages=1, traits=("locked",)))
    assert api.export(entry).status_code == 423
    assert api.start(entry)
