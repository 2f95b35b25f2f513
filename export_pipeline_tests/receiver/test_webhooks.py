import httpx
import pytest
import sqlalchemy as sa

from export_pipeline.ledger import inbox
from export_pipeline.receiver.addresses import STATUS_PLACEHOLDER, TOKEN_HEADER
from export_pipeline.receiver.webhooks import MAX_WEBHOOK_BYTES
from export_pipeline.storage.store import UploadTarget
from export_pipeline_tests.receiver.sending import begin, send, status_of


def with_status(target, status):
    return UploadTarget(target.verb, target.url.replace(STATUS_PLACEHOLDER, status), target.headers)


def letters(home, topic, subject):
    with home.ledger.read() as tx:
        return inbox.by_subject(tx, topic, subject)


def test_a_scan_webhook_is_kept_byte_for_byte_with_harmless_headers_only(home, addresses, http):
    target = with_status(addresses.scan_webhook("copyleaks", "default"), "completed")
    body = b'{"not": json \xff\x00'
    answer = send(
        http, target, body, authorization="Bearer secret", content_type="application/json"
    )
    assert answer.status_code == 200
    [letter] = letters(home, inbox.SCANS, "completed")
    assert (letter.vendor, letter.account, letter.body) == ("copyleaks", "default", body)
    assert set(letter.headers) == {"content-type", "user-agent"}


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
    assert send(http, addresses.order_webhook(order), iter([b"a", b"b"])).status_code == 200
    [letter] = letters(home, inbox.ORDERS, order.id)
    assert letter.body == b"ab"


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
    answer = send(http, addresses.order_webhook(order), b"private")
    assert (answer.status_code, answer.text) == (503, "The ledger cannot be written now.")
