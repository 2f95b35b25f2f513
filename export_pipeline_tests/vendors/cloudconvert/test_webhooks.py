"""Completion by webhook, late, twice and never, through the real receiver."""

import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from export_pipeline.errors import BadInput, ConfigError
from export_pipeline.ledger import inbox, orders, registry
from export_pipeline.ledger.rows import OrderState, QueueClass, ScanState
from export_pipeline.scans import ScanKey
from export_pipeline.vendors.cloudconvert.options import CloudConvertAccount
from export_pipeline.vendors.cloudconvert.signatures import CloudConvertSigned
from export_pipeline.vendors.cloudconvert.tags import tag_of
from export_pipeline.workflow.completion import read_completions
from export_pipeline_tests.vendors.cloudconvert.home import CloudConvertHome, home_of

LATE_SECONDS = 3600
VECTOR = ("cloudconvert", "90sffs0d8fs0f9sf0")
VECTOR_SIGNATURE = "5c4c0691bce8a1a2af738b7073fe0627e792734813358c5f88a658819dd0a6d2"
"""FACTS 4.7: from the public SDK's own test."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[CloudConvertHome]:
    with home_of(tmp_path) as made:
        made.store.signs = False
        yield made


def signed(secrets: str) -> CloudConvertSigned:
    account = CloudConvertAccount.model_validate(
        {"name": "default", "KEY": "k", "WEBHOOK_SECRET": secrets}
    )
    return CloudConvertSigned([account], 401)


def signature(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, "sha256").hexdigest()


def post(
    home: CloudConvertHome, url: str, event: dict[str, Any], given: str | None = None
) -> httpx.Response:
    body = json.dumps(event).encode()
    secret = home.sandbox.addresses["cloudconvert_webhook_secret"]
    headers = {"CloudConvert-Signature": given or signature(body, secret)}
    hook = f"{url}/hooks/cloudconvert/default/signed"
    return httpx.post(hook, content=body, headers=headers, trust_env=False)


def finished(job: str, tag: str | None = None) -> dict[str, Any]:
    return {"event": "job.finished", "job": {"id": job, "tag": tag, "status": None, "tasks": []}}


def test_the_vendors_own_test_vector_is_genuine() -> None:
    body, secret = VECTOR
    headers = {"CloudConvert-Signature": VECTOR_SIGNATURE}
    assert signed(secret).is_genuine("default", headers, body.encode())


@pytest.mark.parametrize("secret", ["before-s3cret", "current-s3cret"])
def test_each_of_several_secrets_is_taken_while_one_is_replaced(secret: str) -> None:
    headers = {"CloudConvert-Signature": signature(b"{}", secret)}
    assert signed("current-s3cret, before-s3cret").is_genuine("default", headers, b"{}")
    assert not signed("current-s3cret,before-s3cret").is_genuine("default", headers, b"{} ")


@pytest.mark.parametrize(
    "given", ["", "0", "é", "x" * 9_999, f"sha256={VECTOR_SIGNATURE}", "\udcff"]
)
def test_a_hostile_signature_is_wrong_and_breaks_nothing(given: str) -> None:
    body, secret = VECTOR
    assert not signed(secret).is_genuine(
        "default", {"CloudConvert-Signature": given}, body.encode()
    )
    assert not signed(secret).is_genuine("other", {"CloudConvert-Signature": given}, body.encode())


def test_a_webhook_completes_its_order_and_nobody_asks(home: CloudConvertHome) -> None:
    home.polls = False
    with home.receiving():
        (scan,) = home.go_on([home.conversion()])
        assert scan.state == ScanState.ARCHIVED
        # The job for its URL; a webhook keeps none that opens anything.
        assert home.stats()["calls"] == {"create": 1, "upload": 1, "get": 1, "file": 1}


def test_a_webhook_ends_an_order_whose_file_was_written_by_lent_credentials(
    home: CloudConvertHome,
) -> None:
    home.polls, home.store.lends = False, True
    with home.receiving():
        (scan,) = home.go_on([home.conversion()])
    assert home.payload(scan).keys() == {"files/pdf_report.pdf"}
    assert home.stats()["calls"] == {"create": 1, "upload": 1}


def test_a_webhook_that_comes_after_the_poll_changes_nothing(home: CloudConvertHome) -> None:
    home.faults(webhook=["late"])
    home.stuck = 1  # until it is sent
    with home.receiving():
        (scan,) = home.go_on([home.conversion()])
        assert scan.state == ScanState.ARCHIVED
        home.stuck = 0
        home.clock.advance(LATE_SECONDS)
        home.end()
        home.run(read_completions)
    assert home.history(scan).splitlines()[-1].startswith("told again")
    assert home.scan(scan) == scan


@pytest.mark.parametrize("fault", ["twice", "lost", "wrong_signature"])
def test_a_webhook_that_comes_twice_or_never_changes_nothing(
    home: CloudConvertHome, fault: str
) -> None:
    home.faults(webhook=[fault])
    with home.receiving() as url:
        (scan,) = home.go_on([home.conversion()])
        assert scan.state == ScanState.ARCHIVED
        assert home.orders(scan) == len(home.ours()) == 1
        metrics = httpx.get(f"{url}/metrics", trust_env=False).text
    refused = 'export_webhooks_total{vendor="cloudconvert",topic="signatures",answer="401"} 1'
    assert (refused in metrics) == (fault == "wrong_signature")


def test_a_failed_job_is_told_by_webhook_too(home: CloudConvertHome) -> None:
    home.polls = False
    home.faults(export=["fails"])
    with home.receiving():
        (scan,) = home.go_on([home.conversion()])
    assert scan.state == ScanState.ARCHIVED
    assert home.orders(scan) == 2
    assert "failed attempt 1: task one (export/url)" in home.history(scan)


def test_a_finished_job_of_the_team_is_registered_and_ordered(home: CloudConvertHome) -> None:
    job = home.made(["a.txt"])
    with home.receiving() as url:
        assert post(home, url, finished(job)).status_code == 200
        (scan,) = home.go_on(home.read_letters())
    assert (scan.scan, scan.state) == (job, ScanState.ARCHIVED)


def test_a_job_of_ours_is_never_registered_as_a_scan(home: CloudConvertHome) -> None:
    with home.receiving() as url:
        for tag in ("export-pipeline-" + "0" * 32, "export-pipeline-of-another-release"):
            assert post(home, url, finished(home.made(["a.txt"]), tag)).status_code == 200
        assert home.read_letters() == []


@pytest.mark.parametrize(("vendor", "account"), [("copyleaks", "default"), ("cloudconvert", "eu")])
def test_a_webhook_ends_no_order_but_those_of_the_account_that_signed_it(
    home: CloudConvertHome, vendor: str, account: str
) -> None:
    """Whoever may make jobs on one account could end the orders of all others by their tags."""
    with home.ledger.write() as tx:
        scan, _ = registry.register(tx, ScanKey(vendor, account, "essay"), source="test")
        queue = QueueClass.NIGHTLY
        name = orders.insert(tx, scan, generation=1, attempt=1, queue_class=queue)
    with home.receiving() as url:
        event = finished(home.made(["a.txt"]), tag_of(name))
        assert post(home, url, event).status_code == 200
        home.run(read_completions)
    order = home.look(orders.get, name)
    assert order.state == OrderState.QUEUED
    assert home.look(inbox.unhandled, "cloudconvert", inbox.ORDERS, 9) == []


def test_a_webhook_that_is_replayed_orders_nothing_again(home: CloudConvertHome) -> None:
    event = finished(home.made(["a.txt"]))
    with home.receiving() as url:
        for _ in range(3):
            assert post(home, url, event).status_code == 200
        assert len(home.look(inbox.unhandled, "cloudconvert", inbox.SCANS, 9)) == 1
        home.go_on(home.read_letters())
        assert post(home, url, event).status_code == 200
        assert home.read_letters() == []


def test_of_a_webhook_only_what_is_read_of_it_is_kept(home: CloudConvertHome) -> None:
    """A task's arguments may be told with it, and with them what was lent to it (FACTS 4.3)."""
    told = {"access_key_id": "AK", "secret_access_key": "k3y", "session_token": "t0ken"}
    told |= {"sas_token": "sv=1&sig=s1g", "private_key": "p3m", "password": "pa55"}
    inner = {"payload": told, "headers": {"authorization": "b3arer"}, "url": "https://h/p?sig=s1g"}
    file = {"filename": "a.txt", "size": 3, "url": "https://storage/t/a.txt?temp_url_sig=s1g"}
    form = {"url": "https://upload/t", "parameters": {"signature": "f0rm"}}
    task = {**inner, "id": "t", "name": "one", "operation": "export/s3", "status": "error"}
    task |= {"message": "PUT https://u:p@h/k?sig=s1g failed", "depends_on_tasks": [inner]}
    task |= {"result": {"files": [file], "form": form}}
    event = {"event": "job.failed", "job": {"id": "j", "tag": None, "tasks": [task], **inner}}
    with home.receiving() as url:
        for one in (event, {"event": "job.created", "job": {"tasks": [task]}}):
            assert post(home, url, one).status_code == 200
    first, second = home.look(inbox.unhandled, "cloudconvert", inbox.SCANS, 9)
    file["url"], task["message"] = "https://storage/t/a.txt", "PUT https://h/k"
    read = {name: task[name] for name in ("id", "name", "operation", "status", "message")}
    kept = {"id": "j", "tasks": [{**read, "result": {"files": [file]}}]}
    assert json.loads(first.body) == {"event": "job.failed", "job": kept}
    assert json.loads(second.body) == {"event": "job.created"}


@pytest.mark.parametrize("changes", [{"DISCOVER": "tasks"}, {"DISCOVER_TAG": "mine"}])
def test_jobs_that_are_not_to_be_discovered_are_not_registered(
    home: CloudConvertHome, changes: dict[str, str]
) -> None:
    variables = {f"EXPORT_CLOUDCONVERT_{name}": value for name, value in changes.items()}
    with home.receiving(**variables) as url:
        post(home, url, finished(home.made(["a.txt"]), "theirs"))
        assert home.read_letters() == []


@pytest.mark.parametrize("status", ["503", "200", "403"])
def test_a_wrong_signature_is_answered_as_it_is_set(home: CloudConvertHome, status: str) -> None:
    home.vendor = home.make_vendor(EXPORT_CLOUDCONVERT_REJECT=status)
    with home.receiving() as url:
        assert post(home, url, finished("x"), given="0" * 64).status_code == int(status)
    assert home.read_letters() == []


def test_a_wrong_signature_is_never_answered_410(home: CloudConvertHome) -> None:
    with pytest.raises(ConfigError, match="turns the webhook off for good"):
        home.make_vendor(EXPORT_CLOUDCONVERT_REJECT="410").require("default")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[]", "not the webhook"),
        (b'{"event": "job.finished"}', "job: Field required"),
        (b'{"event": "job.created", "job": {"id": "7"}}', "has not ended"),
    ],
)
def test_a_body_that_is_not_as_documented_ends_no_order(
    home: CloudConvertHome, body: bytes, reason: str
) -> None:
    with pytest.raises(BadInput, match=reason):
        home.vendor.read_completion(body, {})
