import json

import httpx
import pytest
import sqlalchemy as sa

from export_pipeline.ledger import inbox
from export_pipeline.receiver import webhooks
from export_pipeline.receiver.addresses import TOKEN_HEADER, Addresses
from export_pipeline.receiver.webhooks import MAX_WEBHOOK_BYTES
from export_pipeline.storage.store import UploadTarget
from export_pipeline_tests.receiver.sending import begin, send, status_of, with_status
from export_pipeline_tests.servers.receiver import running_receiver


def letters(home, topic, subject):
    with home.ledger.read() as tx:
        return inbox.by_subject(tx, topic, subject)


def test_a_scan_webhook_is_kept_byte_for_byte_with_harmless_headers_only(home, addresses, http):
    target = with_status(addresses.scan_webhook("copyleaks", "default"), "completed")
    body = b'{ "a":1,\r\n "a" : "\\u00e9 \xc3\xa9" }\n'
    answer = send(
        http, target, body, authorization="Bearer secret", content_type="application/json"
    )
    assert answer.status_code == 200
    [letter] = letters(home, inbox.SCANS, "completed")
    assert (letter.vendor, letter.account, letter.body) == ("copyleaks", "default", body)
    assert set(letter.headers) == {"content-type", "user-agent"}


def test_a_scan_webhook_may_have_its_token_in_the_path_which_is_kept_nowhere(home, addresses, http):
    target = addresses.scan_webhook_with_token("copyleaks", "default")
    token = target.url.split("/")[-2]
    assert target.headers == ()
    assert token not in repr(target)
    assert send(http, with_status(target, "Completed"), b"{}").status_code == 200
    [letter] = letters(home, inbox.SCANS, "Completed")
    assert (letter.vendor, letter.account, letter.body) == ("copyleaks", "default", b"{}")
    assert token not in repr(letter)


@pytest.mark.parametrize("in_path", [True, False])
def test_a_scan_webhook_of_the_previous_secret_is_taken_and_of_the_one_before_refused(
    home, http, in_path
):
    with running_receiver(home.ledger, home.store, ("third", "second")) as ours:
        base = ours.upload("", "").url.split("/uploads")[0]
        statuses = []
        for secret in ("third", "second", "first"):
            theirs = Addresses(base, (secret,))
            form = theirs.scan_webhook_with_token if in_path else theirs.scan_webhook
            target = with_status(form("copyleaks", "default"), "completed")
            statuses.append(send(http, target, b"{}").status_code)
    assert statuses == [200, 200, 401]
    assert len(letters(home, inbox.SCANS, "completed")) == 2


def test_a_scan_webhooks_token_in_the_path_opens_its_own_account_only(home, addresses, http):
    target = addresses.scan_webhook_with_token("copyleaks", "other")
    stolen = UploadTarget("POST", target.url.replace("/other/", "/default/"))
    answer = send(http, with_status(stolen, "completed"), b"{}")
    assert (answer.status_code, answer.text) == (401, "Unauthorized")
    assert letters(home, inbox.SCANS, "completed") == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "The body is not JSON."),
        (b"a=1&b=2", "The body is not JSON."),
        (b'{"a": "\xff"}', "The body is not JSON."),
        (b'{"a": 1', "The body is not JSON."),
        (b"[" * 100_000, "The body is not JSON."),
        (b'{"a":' * 100_000, "The body is not JSON."),
        (b"[{}]", "The body is JSON, but not an object."),
        (b"null", "The body is JSON, but not an object."),
        (b'"completed"', "The body is JSON, but not an object."),
        (b"1" * 10_000, "The body is not JSON."),
    ],
)
def test_a_body_that_is_no_json_object_is_refused_with_the_reason_and_kept_nowhere(
    home, addresses, http, body, reason
):
    order = home.order("scan", [])
    scan = with_status(addresses.scan_webhook("copyleaks", "default"), "completed")
    for target in (addresses.order_webhook(order), scan):
        answer = send(http, target, body)
        assert (answer.status_code, answer.text) == (400, reason)
    with home.ledger.read() as tx:
        assert inbox.count_unhandled(tx) == {}


def test_who_has_no_token_is_not_told_what_is_wrong_with_the_body(home, addresses, http):
    target = addresses.order_webhook(home.order("scan", []))
    answer = http.post(target.url, content=b"not json")
    assert (answer.status_code, answer.text) == (401, "Unauthorized")


@pytest.mark.parametrize("limit", ["WEBHOOK_SECONDS", "IDLE_SECONDS"])
def test_a_body_that_does_not_come_in_time_is_refused(home, addresses, monkeypatch, limit):
    monkeypatch.setattr(webhooks, limit, 0.05)
    order = home.order("scan", [])
    with begin(addresses.order_webhook(order), "Content-Length: 5") as connection:
        connection.sendall(b"{")
        assert status_of(connection) == 408
    assert letters(home, inbox.ORDERS, order.id) == []


def test_a_webhook_that_comes_twice_is_kept_twice(home, addresses, http):
    order = home.order("scan", [])
    for _ in range(2):
        assert send(http, addresses.order_webhook(order), b"{}").status_code == 200
    assert len(letters(home, inbox.ORDERS, order.id)) == 2


def test_a_webhook_of_an_order_that_the_ledger_does_not_have_is_kept(home, addresses, http):
    order = home.order("scan", [])
    with home.ledger.write() as tx:
        tx.run(sa.text("DELETE FROM orders"))
    assert send(http, addresses.order_webhook(order), b"{}").status_code == 200
    assert len(letters(home, inbox.ORDERS, order.id)) == 1


def test_a_webhook_with_another_orders_token_is_refused_without_detail(home, addresses, http):
    first, second = home.order("first", []), home.order("second", [])
    stolen = addresses.order_webhook(second).headers
    target = UploadTarget("POST", addresses.order_webhook(first).url, stolen)
    answer = send(http, target, b"{}")
    assert (answer.status_code, answer.text) == (401, "Unauthorized")
    assert letters(home, inbox.ORDERS, first.id) == []


def test_a_token_in_the_query_is_no_token(home, addresses, http):
    target = addresses.order_webhook(home.order("scan", []))
    token = dict(target.headers)[TOKEN_HEADER]
    assert http.post(target.url, params={TOKEN_HEADER: token}).status_code == 401


@pytest.mark.parametrize("status", ["x" * 65, "%00", "a%0Ab"])
def test_a_status_that_no_vendor_sends_is_refused(addresses, http, status):
    target = with_status(addresses.scan_webhook("copyleaks", "default"), status)
    assert send(http, target, b"{}").status_code == 404


def test_a_body_that_declares_too_much_is_refused_before_it_is_sent(home, addresses):
    order = home.order("scan", [])
    head = f"Content-Length: {MAX_WEBHOOK_BYTES + 1}"
    with begin(addresses.order_webhook(order), head) as connection:
        assert status_of(connection) == 413
    assert letters(home, inbox.ORDERS, order.id) == []


def test_a_chunked_body_without_end_is_refused_at_the_limit(home, addresses):
    order = home.order("scan", [])
    chunk = b"%x\r\n%s\r\n" % (1 << 20, bytes(1 << 20))
    target = addresses.order_webhook(order)
    with begin(target, "Transfer-Encoding: chunked") as connection:
        for _ in range(MAX_WEBHOOK_BYTES // (1 << 20)):
            connection.sendall(chunk)
        connection.sendall(b"1\r\nx\r\n")
        assert status_of(connection) == 413
    assert letters(home, inbox.ORDERS, order.id) == []


def test_a_chunked_body_within_the_limit_is_kept(home, addresses, http):
    order = home.order("scan", [])
    assert send(http, addresses.order_webhook(order), iter([b"{", b"}"])).status_code == 200
    [letter] = letters(home, inbox.ORDERS, order.id)
    assert letter.body == b"{}"


def test_the_check_finds_its_own_post_and_no_other(addresses, http):
    result = addresses.check_result("nonce")
    assert send(http, result, b"").status_code == 404
    assert send(http, addresses.check_webhook("nonce"), b"").status_code == 200
    assert send(http, result, b"").json()["received_at"] > 0
    assert send(http, addresses.check_result("other"), b"").status_code == 404
    assert httpx.get(result.url, trust_env=False).status_code == 401


def test_a_ledger_that_cannot_be_written_is_503_and_nothing_is_told_of_it(home, addresses, http):
    order = home.order("scan", [])
    with home.ledger.write() as tx:
        tx.run(sa.text("ALTER TABLE inbox RENAME TO elsewhere"))
    answer = send(http, addresses.order_webhook(order), b'{"private": 1}')
    assert (answer.status_code, answer.text) == (503, "The ledger cannot be written now.")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("https://b.example/a/b.json?X-Sig=signature", "https://b.example/a/b.json"),
        ('HTTPS://b.example:9/a%2Fb?X-Sig=signature?&q="\\', "HTTPS://b.example:9/a%2Fb"),
        ("https://key:signature@b.example/a", "https://b.example/a"),
        ("https://b.example/a#signature", "https://b.example/a"),
        ('PUT "https://b.example/é b\\?X=signature": no', 'PUT "https://b.example/é b\\'),
        ("https://b.example/a and s3://key:signature@c/d", "https://b.example/a and s3://c/d"),
        ("really? yes", "really? yes"),
    ],
)
@pytest.mark.parametrize("escaped", [True, False])
def test_a_signature_that_a_vendor_echoes_never_reaches_the_ledger(
    home, addresses, http, sent, kept, escaped
):
    order = home.order("scan", [])
    content = {"tasks": [{"endpoint": sent, "isHealthy": True}, [sent]], sent: 1.5, "x": None}
    body = json.dumps(content, ensure_ascii=escaped)
    if escaped:
        body = body.replace("/", "\\/").replace("?", "\\u003f")
    assert send(http, addresses.order_webhook(order), body.encode()).status_code == 200
    [letter] = letters(home, inbox.ORDERS, order.id)
    clean = {"tasks": [{"endpoint": kept, "isHealthy": True}, [kept]], kept: 1.5, "x": None}
    assert json.loads(letter.body) == clean
    files = [file.read_bytes() for file in home.path.rglob("*") if file.is_file()]
    assert any(b"b.example" in file or b"really" in file for file in files)
    assert not any(b"signature" in file for file in files)
