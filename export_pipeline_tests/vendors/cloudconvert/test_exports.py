"""What the suites do not ask: ways to order, how many calls it costs, erasing, and `check`."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from export_pipeline.errors import (
    AuthenticationFailed,
    ConfigError,
    OrderInvalid,
    OrderRefused,
    RateLimited,
    ScanGone,
    TurnMissed,
    VendorUnavailable,
)
from export_pipeline.ledger import orders, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Order, QueueClass, Scan
from export_pipeline.sandbox import SandboxOptions
from export_pipeline.sandbox.cloudconvert import CloudConvertOptions
from export_pipeline.sandbox.cloudconvert.options import SCOPES, Account
from export_pipeline.scans import ScanKey
from export_pipeline.vendors.cloudconvert.artifacts import UNKNOWN
from export_pipeline.vendors.cloudconvert.client import CreditsSpent
from export_pipeline.vendors.cloudconvert.ending import LISTED_FROM
from export_pipeline.vendors.cloudconvert.models import place_of
from export_pipeline.vendors.vendor import Availability, Completion, Loan
from export_pipeline_tests.vendors.bench import again, connected
from export_pipeline_tests.vendors.cloudconvert.bench import UNKNOWN_JOB, CloudConvertBench
from export_pipeline_tests.vendors.conformance import failing, place, shows_no_secret
from export_pipeline_tests.vendors.pulled import asked, placed, pull, ready
from export_pipeline_tests.vendors.transport import answer, echoes

URL = {"operation": "export/url"}
S3 = {
    "bucket": "b",
    "region": "eu",
    "access_key_id": "AK",
    "secret_access_key": "a-lent-secret-key",
}


def run(bench: CloudConvertBench, work: Callable[[], Awaitable[Any]]) -> Any:
    async def scenario() -> Any:
        try:
            return await work()
        finally:
            await bench.close()

    return asyncio.run(scenario())


def sent(bench: CloudConvertBench, made: str | None) -> dict[str, Any]:
    """What the task of an order was told."""
    what, task, _ = place_of(made or "")
    payload: dict[str, Any] = bench.call("GET", f"/v2/{what}/{task}?include=payload").json()
    return dict(payload["data"]["payload"])


def created(bench: CloudConvertBench) -> list[str]:
    return [one["id"] for one in bench.stats()["created"]]


def lending(bench: CloudConvertBench, scan: str, **arguments: Any) -> Any:
    def lend(name: str) -> Loan:
        key = f".incoming/the-order/{name}"
        return Loan(key, "export/s3", {**S3, "key": f"prefix/{key}", **arguments})

    return replace(bench.placement(scan), lend=lend)


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


def test_an_export_that_is_taken_and_cannot_be_waited_for_is_asked_after(
    bench: CloudConvertBench,
) -> None:
    bench.vendor = bench.make_vendor(EXPORT_CLOUDCONVERT_SYNC="true")
    bench.faults(wait=["503"])
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


def several(bench: CloudConvertBench) -> dict[str, Any]:
    """A finished job of two tasks with a file each."""
    tasks = {
        name: {"operation": "import/base64", "file": "dGV4dA==", "filename": f"{name}.txt"}
        for name in ("a", "b")
    }
    job: dict[str, Any] = bench.call("POST", "/v2/jobs", {"tasks": tasks}).json()["data"]
    bench.end()
    return job


@pytest.mark.parametrize("lends", [True, False])
def test_a_lost_export_is_known_among_others_by_what_it_was_told(
    bench: CloudConvertBench, lends: bool
) -> None:
    placement = lending(bench, bench.scans[1]) if lends else bench.placement(bench.scans[1])
    (task,) = [task for task, job in bench.jobs.items() if job == bench.scans[1]]
    bench.lose_answer()
    failing(bench, placement)
    *_, ours = created(bench)
    s3 = {**S3, "input": task, "key": "prefix/.incoming/another-order/files/c.txt"}
    bench.call("POST", "/v2/export/s3", s3)
    bench.call("POST", "/v2/export/url", {"input": task, "archive_multiple_files": True})
    in_a_job = {"in": {"operation": "import/base64", "file": "dGV4dA==", "filename": "x"}}
    bench.call("POST", "/v2/jobs", {"tasks": {**in_a_job, "out": {**URL, "input": "in"}}})
    (receipt,) = place(bench, again(placement, sends=1))
    assert receipt.vendor_order == f"{'staged' if lends else 'one'}:{ours}"


def order_of(tx: Tx, scan: Scan, attempt: int) -> Order:
    queue = QueueClass.NIGHTLY
    name = orders.insert(tx, scan, generation=1, attempt=attempt, queue_class=queue)
    order = orders.get(tx, name)
    assert order is not None
    return replace(order, sends=1)


def test_what_an_attempt_before_made_is_not_taken_for_a_lost_export(
    bench: CloudConvertBench,
) -> None:
    """Two attempts ask for the same: the URLs of the first may be dead."""
    key = ScanKey("cloudconvert", "default", bench.scans[1])
    with bench.ledger.write() as tx:
        registry.register(tx, key, source="test")
        scan = registry.get(tx, key)
        first, second = [order_of(tx, scan, attempt) for attempt in (1, 2)]
    placement = bench.placement(bench.scans[1])
    (receipt,) = place(bench, replace(placement, order=first))
    with bench.ledger.write() as tx:
        made = {"request_id": None, "vendor_order": receipt.vendor_order, "look_after": 0.0}
        orders.sending(tx, first, "owner", seconds=60, deadline=bench.clock.now() + 60)
        orders.accepted(tx, first.id, **made)
    (other,) = place(bench, replace(placement, order=second))
    assert other.vendor_order != receipt.vendor_order
    assert len(created(bench)) == 2


def test_a_lost_export_is_not_looked_for_where_all_is_older(bench: CloudConvertBench) -> None:
    job = several(bench)
    for _ in range(205):
        bench.call("POST", "/v2/export/url", {"input": job["tasks"][0]["id"]})
    bench.clock.advance(3600)
    before = bench.stats()["calls"].get("list", 0)
    place(bench, again(bench.placement(), sends=1))
    assert bench.stats()["calls"]["list"] == before + 1


def test_a_scan_costs_three_calls_and_one_for_each_question(bench: CloudConvertBench) -> None:
    order, file = ready(bench)
    pull(bench, order, file)
    assert bench.stats()["calls"] == {"get": 3, "create": 1, "file": 1}


def test_many_orders_are_asked_after_by_pages(bench: CloudConvertBench) -> None:
    orders = []
    for number in range(LISTED_FROM):
        placement = bench.placement(bench.made([f"{number}.txt"]))
        orders.append(placed(bench, placement))
    bench.end()
    before = bench.calls()
    assert asked(bench, *orders).keys() == {order.id for order in orders}
    assert bench.calls() == before + 1


def test_an_export_without_a_cause_of_its_own_names_the_task_elsewhere(
    bench: CloudConvertBench,
) -> None:
    order = placed(bench, bench.placement(bench.scans[1]))
    task = "36af6f54-1c01-45cc-bcc3-97dd23d2f93d"
    failed: dict[str, Any] = {"id": "e", "operation": "export/url", "status": "error"}
    failed |= {"code": "INPUT_TASK_FAILED", "message": "Input task has failed"}
    failed |= {"depends_on_tasks": {"convert-it": task}}
    cause = {"id": task, "name": "convert-it", "operation": "convert", "status": "error"}
    cause |= {"message": "The file is encrypted", "code": "INVALID_FILE"}
    for data in (failed, cause):
        bench.planned.append(lambda _, data=data: httpx.Response(200, json={"data": data}))
    completion = asked(bench, order)[order.id]
    assert "task convert-it (convert): The file is encrypted, INVALID_FILE" in completion.failure
    assert completion.is_final


def test_a_failed_part_of_a_job_is_absent_with_its_reason(bench: CloudConvertBench) -> None:
    tasks = [
        {"id": "1", "name": "good", "operation": "convert", "status": "finished"},
        {"id": "2", "name": "bad", "operation": "convert", "status": "error", "message": "no"},
    ]
    tasks[0] |= {"result": {"files": [{"filename": "a.txt"}]}}
    job = {"id": bench.scans[0], "status": "error", "tasks": tasks}
    made = {"id": "made", "status": "processing", "operation": "export/url"}
    for data in (job, made):
        bench.planned.append(lambda _, data=data: httpx.Response(200, json={"data": data}))
    (receipt,) = place(bench, bench.placement())
    assert receipt.files is not None
    assert [(one.name, one.availability) for one in receipt.files] == [
        ("files/a.txt", Availability.EXPECTED),
        ("files/bad.failed", Availability.ABSENT),
    ]
    assert "task bad (convert): no" in receipt.files[1].reason


def test_a_job_without_files_has_none_and_that_is_no_failure(bench: CloudConvertBench) -> None:
    (receipt,) = place(bench, bench.placement(bench.made([])))
    assert receipt.files is not None
    assert [(one.name, one.availability) for one in receipt.files] == [
        (UNKNOWN.name, Availability.ABSENT)
    ]
    assert receipt.completion == Completion()


@pytest.mark.parametrize("status", ["waiting", "processing", None])
def test_what_has_not_ended_is_tried_again(bench: CloudConvertBench, status: str | None) -> None:
    data = {"id": bench.scans[0], "status": status}
    error = failing(bench, bench.placement(), lambda _: httpx.Response(200, json={"data": data}))
    assert isinstance(error, VendorUnavailable)
    assert "has not ended" in str(error)


def test_an_export_cannot_be_exported_again(bench: CloudConvertBench) -> None:
    data = {"id": bench.scans[0], "status": "finished", "operation": "export/s3"}
    placement = bench.placement(kind="task")
    error = failing(bench, placement, lambda _: httpx.Response(200, json={"data": data}))
    assert isinstance(error, OrderInvalid)
    assert "register the task that it exports" in str(error)


def test_a_tag_that_no_job_has_is_gone(bench: CloudConvertBench) -> None:
    with pytest.raises(ScanGone, match="no job has that tag"):
        place(bench, bench.placement("tag:nobody's", kind="tag"))


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ({"message": "run out", "code": "CREDITS_EXCEEDED"}, CreditsSpent, "is deleted 24 hours"),
        ({"message": "You have started too many jobs at once"}, RateLimited, "goes on by itself"),
        ({"message": "pay"}, CreditsSpent, "buy credits"),
    ],
)
def test_a_402_waits_for_other_jobs_or_for_a_person(
    bench: CloudConvertBench, body: dict[str, str], kind: type[Exception], said: str
) -> None:
    error = failing(bench, bench.placement(), lambda _: httpx.Response(402, json=body))
    assert type(error) is kind
    assert said in str(error)


@pytest.mark.parametrize("status", [400, 422])
def test_a_refusal_names_the_fields_at_either_status(bench: CloudConvertBench, status: int) -> None:
    body = {"message": "The given data was invalid.", "code": "INVALID_DATA"}
    body |= {"errors": {"tasks.one.input": ["The input is invalid."]}}  # type: ignore[dict-item]
    error = failing(bench, bench.placement(), lambda _: httpx.Response(status, json=body))
    assert type(error) is OrderRefused
    assert error.fields == ("tasks.one.input",)
    assert "tasks.one.input: The input is invalid." in str(error)


def test_a_turn_that_passed_sends_nothing(bench: CloudConvertBench) -> None:
    with pytest.raises(TurnMissed):
        place(bench, replace(bench.placement(), is_on_time=lambda: False))
    assert bench.calls() == 0


@pytest.mark.parametrize("body", ["{}", "[]", '{"data": {}}', "not json"])
def test_an_answer_that_is_not_as_documented_is_tried_again(
    bench: CloudConvertBench, body: str
) -> None:
    error = failing(bench, bench.placement(), answer(200, text=body))
    assert isinstance(error, VendorUnavailable)
    assert "check EXPORT_CLOUDCONVERT_API_URL" in str(error)


def test_a_scan_is_erased_with_all_that_its_orders_made(bench: CloudConvertBench) -> None:
    placement = bench.placement()
    order = placed(bench, placement)
    for _ in range(2):  # what is gone already is fine
        run(bench, lambda: bench.vendor.erase(placement.scan, [order, replace(order, id="x")]))
    _, task, _ = place_of(order.vendor_order or "")
    assert sorted(bench.stats()["deleted"]) == sorted([task, bench.scans[0]])


def test_a_task_is_erased_and_a_tag_is_not(bench: CloudConvertBench) -> None:
    (job,) = bench.made_jobs({"files": [{"filename": "a"}], "tag": "mine"})
    task = bench.placement(job["tasks"][0], kind="task").scan
    tag = bench.placement("tag:mine", kind="tag").scan
    run(bench, lambda: bench.vendor.erase(task, []))
    run(bench, lambda: bench.vendor.erase(tag, []))
    assert bench.stats()["deleted"] == job["tasks"]


def test_want_of_credits_says_when_the_scan_is_deleted(bench: CloudConvertBench) -> None:
    placement = bench.placement()
    placement = replace(placement, scan=replace(placement.scan, expires_at=1_800_000_000.0))
    bench.faults(create=["credits"])
    error = failing(bench, placement)
    assert "buy credits for the account of EXPORT_CLOUDCONVERT_KEY before" in str(error)
    assert "2027-01-15 08:00 UTC" in str(error)


def test_check_says_whether_the_key_works(bench: CloudConvertBench) -> None:
    assert "the key works" in run(bench, lambda: bench.vendor.check("default"))
    assert created(bench) == []
    bench.planned.append(answer(401))
    with pytest.raises(AuthenticationFailed, match="correct EXPORT_CLOUDCONVERT_KEY"):
        run(bench, lambda: bench.vendor.check("default"))


@pytest.mark.parametrize("lacks", ["task.read", "task.write"])
def test_check_refuses_a_key_that_may_not_both_read_and_order(tmp_path: Path, lacks: str) -> None:
    account = Account(scopes=tuple(one for one in SCOPES if one != lacks))
    options = SandboxOptions(cloudconvert=CloudConvertOptions(pace="fast", accounts=(account,)))
    with (
        connected(CloudConvertBench, tmp_path, options) as bench,
        pytest.raises(AuthenticationFailed, match=r"needs the scopes task\.read and task\.write"),
    ):
        run(bench, lambda: bench.vendor.check("default"))


def test_check_says_so_if_the_vendor_orders_what_it_should_refuse(bench: CloudConvertBench) -> None:
    bench.planned.extend([answer(200, text='{"data": []}'), answer(201, text="{}")])
    with pytest.raises(VendorUnavailable, match="check EXPORT_CLOUDCONVERT_API_URL"):
        run(bench, lambda: bench.vendor.check("default"))


def test_a_task_registered_without_its_kind_is_known_as_one(bench: CloudConvertBench) -> None:
    (task, *_) = [task for task, job in bench.jobs.items() if job == bench.scans[1]]
    (receipt,) = place(bench, bench.placement(task))
    assert sent(bench, receipt.vendor_order)["input"] == [task]
    scan = bench.placement(task).scan
    run(bench, lambda: bench.vendor.erase(scan, []))
    assert bench.stats()["deleted"] == [task]


@pytest.mark.parametrize(("details", "calls"), [({}, 2), ({"kind": "job"}, 1)])
def test_a_scan_that_is_gone_is_asked_for_as_a_task_only_if_nobody_said_it_is_a_job(
    bench: CloudConvertBench, details: dict[str, str], calls: int
) -> None:
    with pytest.raises(ScanGone, match="24 hours after its end"):
        place(bench, bench.placement(UNKNOWN_JOB, **details))
    assert bench.calls() == calls


def test_an_account_without_a_key_says_what_to_set(bench: CloudConvertBench) -> None:
    with pytest.raises(ConfigError, match="set EXPORT_CLOUDCONVERT_KEY"):
        bench.vendor.require("eu")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("KEY", "a key", "KEY: no key"),
        ("DELIVERY", "mail", "DELIVERY: "),
        ("DISCOVER", "everything", "DISCOVER: "),
        ("REJECT", "99", "REJECT: "),
        ("REQUESTS_PER_MINUTE", "0", "REQUESTS_PER_MINUTE: "),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(
    bench: CloudConvertBench, name: str, value: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=f"EXPORT_CLOUDCONVERT_{reason}"):
        bench.make_vendor(**{f"EXPORT_CLOUDCONVERT_{name}": value}).require("default")
