"""In which way the files of an order come, and what the vendor is told for it."""

import asyncio
import logging
from typing import Any

import pytest

from export_pipeline.errors import (
    ConfigError,
)
from export_pipeline.vendors.completion import Completion
from export_pipeline_tests.vendors.bench import again
from export_pipeline_tests.vendors.cloudconvert.bench import CloudConvertBench
from export_pipeline_tests.vendors.cloudconvert.orders import lending, run, sent, several
from export_pipeline_tests.vendors.conformance import failing, place, shows_no_secret
from export_pipeline_tests.vendors.transport import answer, echoes


def test_several_files_of_a_task_keep_their_names_below_a_prefix(bench: CloudConvertBench) -> None:
    (receipt,) = place(bench, lending(bench, bench.scans[0]))
    told = sent(bench, receipt.vendor_order)
    assert told["key_prefix"] == "prefix/.incoming/the-order/files/"
    assert "key" not in told
    assert receipt.files is not None
    assert [one.name for one in receipt.files] == ["files/a.txt", "files/b.txt"]


def test_one_file_is_staged_under_its_own_key(bench: CloudConvertBench) -> None:
    (receipt,) = place(bench, lending(bench, bench.scans[1]))
    told = sent(bench, receipt.vendor_order)
    assert told["key"] == "prefix/.incoming/the-order/files/c.txt"


def test_files_whose_names_need_an_escape_are_pulled_and_not_staged(
    bench: CloudConvertBench,
) -> None:
    scan = bench.made(["../a.txt", "b.txt"])
    (receipt,) = place(bench, lending(bench, scan))
    assert sent(bench, receipt.vendor_order)["operation"] == "export/url"


@pytest.mark.parametrize("changes", [{"region": ""}, {"key_prefix": "x"}, {"colour": "red"}])
def test_what_is_lent_and_cannot_be_used_is_a_matter_of_settings(
    bench: CloudConvertBench, changes: dict[str, str]
) -> None:
    with pytest.raises(ConfigError, match="export/s3 cannot write into the store") as caught:
        place(bench, lending(bench, bench.scans[1], **changes))
    assert "a-lent-secret-key" not in str(caught.value)


def test_storage_without_credentials_says_what_to_set(bench: CloudConvertBench) -> None:
    with pytest.raises(ConfigError, match="EXPORT_CLOUDCONVERT_<STORE>_"):
        place(bench, bench.placement(delivery="storage"))


def test_a_refusal_repeats_no_credential_that_was_lent(
    bench: CloudConvertBench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = (*bench.secrets, "a-lent-secret-key")
    job = bench.call("GET", f"/v2/jobs/{bench.scans[1]}").text
    for echo in (one for status in (400, 402, 422, 500) for one in echoes(status)):
        error = failing(bench, lending(bench, bench.scans[1]), answer(200, text=job), echo)
        shows_no_secret(error, secrets)
    shows_no_secret(caplog.text, secrets)


def test_urls_are_asked_for_as_the_scan_and_the_settings_say(bench: CloudConvertBench) -> None:
    bench.vendor = bench.make_vendor(EXPORT_CLOUDCONVERT_INLINE="1")
    zipped = bench.placement(archive_multiple_files=True)
    first, second = place(bench, bench.placement(bench.scans[1]), again(zipped, id="0" * 32))
    single, packed = sent(bench, first.vendor_order), sent(bench, second.vendor_order)
    assert single["inline"] is True
    assert "archive_multiple_files" not in single
    assert packed["archive_multiple_files"] is True


def test_the_host_that_waits_ends_an_order_with_its_answer(bench: CloudConvertBench) -> None:
    bench.vendor = bench.make_vendor(EXPORT_CLOUDCONVERT_SYNC="true")

    async def work() -> Any:
        placing = asyncio.create_task(bench.vendor.place(bench.placement()))
        while not placing.done():
            bench.clock.advance(1)
            await asyncio.sleep(0.02)
        return await placing

    receipt = run(bench, work)
    assert receipt.completion == Completion(is_ready=True)
    assert bench.stats()["calls"] == {"get": 1, "create": 1, "wait": 1}


@pytest.mark.parametrize("fault", ["401", "404", "429", "503", "garbage"])
def test_an_export_that_is_taken_and_cannot_be_waited_for_is_asked_after(
    bench: CloudConvertBench, fault: str
) -> None:
    """Another region's host that waits knew nothing of it, and the scan was taken to be gone."""
    bench.vendor = bench.make_vendor(EXPORT_CLOUDCONVERT_SYNC="true")
    bench.faults(wait=[fault])
    (receipt,) = place(bench, bench.placement())
    assert receipt.completion is None
    assert bench.arrived() == [(bench.scans[0], receipt.vendor_order)]


def test_files_of_several_tasks_come_by_one_export(bench: CloudConvertBench) -> None:
    job = several(bench)
    (receipt,) = place(bench, bench.placement(job["id"]))
    told = sent(bench, receipt.vendor_order)
    assert told == {"operation": "export/url", "input": sorted(one["id"] for one in job["tasks"])}
    (lent,) = place(bench, lending(bench, job["id"]))
    assert sent(bench, lent.vendor_order)["key_prefix"] == "prefix/.incoming/the-order/files/"
