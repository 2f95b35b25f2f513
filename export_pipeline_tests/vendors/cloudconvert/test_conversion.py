"""PDF/A: archived PDFs are taken in, converted, and archived in bags that name their source."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from export_pipeline.errors import ConfigError
from export_pipeline.ledger import inbox
from export_pipeline.ledger.rows import ScanState
from export_pipeline.storage.store import pieces
from export_pipeline.vendors import channel, http
from export_pipeline.vendors.cloudconvert import client, conversion
from export_pipeline.vendors.cloudconvert.conversion import multipart
from export_pipeline.vendors.http import Call
from export_pipeline.workflow.collect import collect
from export_pipeline.workflow.completion import read_completions
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.send import send
from export_pipeline.workflow.turn import take_turn
from export_pipeline_tests.servers.slow_link import slow_link
from export_pipeline_tests.vendors.cloudconvert.home import BAG, PDF, CloudConvertHome, home_of


@pytest.fixture
def home(tmp_path: Path) -> Iterator[CloudConvertHome]:
    with home_of(tmp_path) as made:
        yield made


@pytest.mark.parametrize("signs", [True, False])
def test_an_archived_report_is_converted_into_a_bag_that_names_its_source(
    home: CloudConvertHome, signs: bool
) -> None:
    home.store.signs = signs
    (scan,) = home.go_on([home.conversion()])
    assert scan.state == ScanState.ARCHIVED
    (artifact,) = home.files(scan).values()
    assert artifact.name == "files/pdf_report.pdf"
    assert artifact.details is not None
    assert artifact.details["opened"]["format"] == "pdf"
    source = home.provenance(scan)["details"]["source"]
    assert (source["bag"], source["sha256"]) == (BAG, sha256(PDF).hexdigest())
    assert home.operations() == ["export/upload" if signs else "export/url"]


def test_a_conversion_whose_answer_got_lost_is_found_and_takes_its_file_in(
    home: CloudConvertHome,
) -> None:
    home.store.signs = False
    home.faults(create=["drop"])
    (scan,) = home.go_on([home.conversion()])
    assert scan.state == ScanState.ARCHIVED
    assert home.orders(scan) == len(home.ours()) == 1


LARGE = PDF + b"%" * (6 << 20)
"""More than what sockets hold."""
SECONDS = 1.0
"""In place of the minutes that calls and placing may take."""


@pytest.fixture
def short(home: CloudConvertHome, monkeypatch: pytest.MonkeyPatch) -> CloudConvertHome:
    home.store.signs = False
    for module, name in (
        (channel, "WHOLE_SECONDS"),
        (http, "CALL_SECONDS"),
        (http, "IDLE_SECONDS"),
        (client, "TAKING_SECONDS"),
    ):
        monkeypatch.setattr(module, name, SECONDS)
    return home


async def send_one(pipeline: Pipeline) -> None:
    """Send the order that waits, once."""
    (account,) = pipeline.vendor.accounts
    turn = await take_turn(pipeline, account)
    assert turn is not None
    await send(pipeline, turn)


@pytest.fixture
def links() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def over(patch: pytest.MonkeyPatch, links: ExitStack, pace: float, stalls: int = 0) -> None:
    """Have every upload go over a slow link."""
    upload = client.CloudConvertClient.upload
    ports: dict[int, int] = {}

    async def slowly(self: client.CloudConvertClient, call: Call, url: str, *rest: Any) -> None:
        port = urlsplit(url).port or 0
        if port not in ports:
            ports[port] = links.enter_context(slow_link(port, pace, stalls))
        await upload(self, call, url.replace(f":{port}/", f":{ports[port]}/"), *rest)

    patch.setattr(client.CloudConvertClient, "upload", slowly)


def test_an_upload_may_take_longer_than_placing_as_long_as_it_goes_on(
    short: CloudConvertHome, monkeypatch: pytest.MonkeyPatch, links: ExitStack
) -> None:
    """Cut like every other call, it began anew for ever over a slow link."""
    over(monkeypatch, links, len(LARGE) / (3 * SECONDS))
    (scan,) = short.go_on([short.conversion(LARGE)])
    assert scan.state == ScanState.ARCHIVED
    assert short.orders(scan) == len(short.ours()) == 1


def test_an_upload_that_stands_still_is_given_up_and_begun_anew(
    short: CloudConvertHome, monkeypatch: pytest.MonkeyPatch, links: ExitStack
) -> None:
    over(monkeypatch, links, float("inf"), stalls=1)
    (scan,) = short.go_on([short.conversion(LARGE)])
    assert scan.state == ScanState.ARCHIVED
    assert "no answer, it took too long" in short.history(scan)
    assert short.orders(scan) == len(short.ours()) == 1


def test_an_upload_has_an_end_however_long_it_goes_on(
    home: CloudConvertHome, monkeypatch: pytest.MonkeyPatch, links: ExitStack
) -> None:
    home.store.signs = False
    monkeypatch.setattr(conversion, "UPLOAD_SECONDS", SECONDS)
    over(monkeypatch, links, 1 << 20)
    scan = home.conversion(LARGE)
    home.run(send_one)
    assert "not done within 1 s, the upload of its PDF included" in home.history(scan)


def test_a_file_that_two_processes_bring_is_no_scan_that_is_gone(
    home: CloudConvertHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form takes one: the second was told 404, and the scan expired by that."""
    home.store.signs = False
    upload = client.CloudConvertClient.upload

    async def twice(self: client.CloudConvertClient, call: Call, url: str, *rest: Any) -> None:
        held = [piece async for piece in rest[0]]
        for _ in range(2):
            await upload(self, call, url, pieces(held), rest[1])

    monkeypatch.setattr(client.CloudConvertClient, "upload", twice)
    (scan,) = home.go_on([home.conversion()])
    assert scan.state == ScanState.ARCHIVED
    assert home.orders(scan) == len(home.ours()) == 1


def test_a_webhook_before_the_answer_to_its_order_is_enough_to_collect(
    home: CloudConvertHome,
) -> None:
    """The order had no name at the vendor yet, was taken for lost, and ordered again."""

    async def told_first(pipeline: Pipeline) -> None:
        await send_one(pipeline)
        await asyncio.to_thread(home.end)
        await asyncio.to_thread(home.until, lambda: home.look(inbox.count_unhandled))
        await read_completions(pipeline)
        await collect(pipeline, limit=9)

    with home.receiving(EXPORT_CLOUDCONVERT_DELIVERY="url"):
        home.faults(create=["drop"])
        scan = home.conversion()
        home.run(told_first)
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert home.orders(scan) == len(home.ours()) == 1


def test_a_conversion_that_fails_names_the_task_and_is_ordered_3_times(
    home: CloudConvertHome,
) -> None:
    home.faults(convert=["fails"] * 3)
    (scan,) = home.go_on([home.conversion()])
    assert scan.state == ScanState.FAILED
    assert "task convert-1 (convert): The task failed for an unknown reason" in scan.reason
    assert "so one failed too" in scan.reason
    assert home.orders(scan) == 3


def test_a_report_that_is_gone_fails_at_once_and_says_so(home: CloudConvertHome) -> None:
    home.store.signs = False
    home.stuck = 9
    (scan,) = home.go_on([home.conversion(key=f"{BAG}data/gone.pdf")])
    assert scan.state == ScanState.FAILED
    assert "is no longer in the archive" in scan.reason


def test_the_task_that_converts_can_be_set(home: CloudConvertHome) -> None:
    task = '{"operation": "convert", "output_format": "pdf", "pdf_a": true}'
    home.vendor = home.make_vendor(EXPORT_CLOUDCONVERT_PDFA_TASK=task)
    home.go_on([home.conversion()])
    (job,) = home.ours()
    tasks = home.call("GET", f"/v2/jobs/{job['id']}?include=payload").json()["data"]["tasks"]
    (payload,) = [one["payload"] for one in tasks if one["operation"] == "convert"]
    assert payload == {
        "operation": "convert",
        "input": ["import-1"],
        "output_format": "pdf",
        "pdf_a": True,
    }


@pytest.mark.parametrize("task", ["convert", "[]", "{}", '{"operation": 7}'])
def test_a_task_that_is_none_is_named(home: CloudConvertHome, task: str) -> None:
    with pytest.raises(ConfigError, match="EXPORT_CLOUDCONVERT_PDFA_TASK: it is no JSON object"):
        home.make_vendor(EXPORT_CLOUDCONVERT_PDFA_TASK=task).require("default")


def test_a_form_has_its_fields_first_and_the_file_last() -> None:
    head, tail = multipart({"expires": 7, "signature": "s"}, "a.pdf", "b0und")
    whole = (head + b"BYTES" + tail).decode()
    assert whole.index('name="expires"\r\n\r\n7\r\n') < whole.index('name="signature"')
    assert whole.index('name="signature"') < whole.index('name="file"; filename="a.pdf"')
    assert whole.endswith("BYTES\r\n--b0und--\r\n")
