"""Conversions: real enough that what they make can be opened."""

import io
import zipfile

import pytest
from pypdf import PdfReader

from export_pipeline_tests.sandbox.cloudconvert.api import HOSTILE_NAME, Api, Json

PDFA = {"operation": "convert", "output_format": "pdf", "pdf_a": True}


def files(api: Api, task: Json) -> list[bytes]:
    export = api.call("POST", "/export/url", {"input": task["id"]}).json()["data"]["id"]
    told = api.wait(f"/tasks/{export}")["result"]["files"]
    return [api.file(one["url"]).content for one in told]


def names(task: Json) -> list[str]:
    return [one["filename"] for one in task["result"]["files"]]


def test_text_becomes_a_pdf_with_its_pages(api: Api) -> None:
    task = api.exported(
        "convert", {"filename": HOSTILE_NAME, "text": "1\f2\f3"}, output_format="pdf"
    )
    (body,) = files(api, task)
    assert names(task) == [HOSTILE_NAME.replace(".txt", ".pdf")]
    assert len(PdfReader(io.BytesIO(body)).pages) == 3
    assert (task["credits"], task["result"]["files"][0]["size"]) == (1, len(body))


def test_two_texts_become_two_pdfs(api: Api) -> None:
    made = [
        files(
            api, api.exported("convert", {"filename": "a.txt", "text": text}, output_format="pdf")
        )
        for text in ("one", "two", "one")
    ]
    assert made[0] == made[2] != made[1]


def test_a_pdf_stays_or_becomes_a_pdf_a(api: Api) -> None:
    source = {"operation": "import/raw", "file": "1\f2", "filename": "a.txt"}
    pdf = {"operation": "convert", "input": "in", "output_format": "pdf"}
    same = {**pdf, "input": "pdf"}
    tasks = api.tasks({"in": source, "pdf": pdf, "same": same, "pdfa": {**PDFA, "input": "pdf"}})
    (before,), (kept,), (after,) = (files(api, tasks[name]) for name in ("pdf", "same", "pdfa"))
    assert kept == before
    opened = PdfReader(io.BytesIO(after))
    assert len(opened.pages) == 2
    assert b"<pdfaid:part>2</pdfaid:part>" in opened.trailer["/Root"]["/Metadata"].get_data()


def test_pages_become_images_with_numbers(api: Api) -> None:
    task = api.exported("convert", {"filename": "a.txt", "text": "1\f2"}, output_format="png")
    assert names(task) == ["a-1.png", "a-2.png"]
    assert all(body.startswith(b"\x89PNG") for body in files(api, task))
    single = api.exported("convert", {"filename": "a.txt"}, output_format="png", filename="b.png")
    assert names(single) == ["b.png"]


def test_files_become_one_pdf_or_one_zip(api: Api) -> None:
    two = ({"filename": "a.txt", "text": "1\f2"}, {"filename": "a.txt", "dir": "x", "text": "3"})
    (merged,) = files(api, api.exported("merge", *two, output_format="pdf"))
    assert len(PdfReader(io.BytesIO(merged)).pages) == 3
    task = api.exported("archive", *two, output_format="zip", filename="all.zip")
    assert names(task) == ["all.zip"]
    with zipfile.ZipFile(io.BytesIO(files(api, task)[0])) as packed:
        assert {one: packed.read(one) for one in packed.namelist()} == {
            "a.txt": b"1\f2",
            "x/a.txt": b"3",
        }


def test_files_of_one_name_stay_apart_in_a_zip(api: Api) -> None:
    file = {"filename": "a.txt"}
    first, second = (api.made({**file, "text": text})["tasks"][0] for text in ("one", "two"))
    body = {"input": [first, second], "output_format": "zip"}
    created = api.call("POST", "/archive", body).json()["data"]["id"]
    (packed,) = files(api, api.wait(f"/tasks/{created}"))
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        assert {one: opened.read(one) for one in opened.namelist()} == {
            "a.txt": b"one",
            "2/a.txt": b"two",
        }


@pytest.mark.parametrize(
    ("operation", "output_format", "text"),
    [
        ("convert", "mp4", "x"),
        ("convert", "pdf", "%PDF-1.4 and no more"),
        ("merge", "txt", "x"),
        ("archive", "rar", "x"),
    ],
)
def test_what_cannot_be_converted_fails_the_task(
    api: Api, operation: str, output_format: str, text: str
) -> None:
    task = api.exported(operation, {"filename": "a.txt", "text": text}, output_format=output_format)
    assert (task["status"], task["code"]) == ("error", "CONVERSION_FAILED")
    assert task["message"]
    assert task["credits"] is None
