import hmac
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from export_pipeline.ledger import inbox
from export_pipeline.receiver.addresses import Addresses
from export_pipeline_tests.servers.receiver import running_receiver

BODY = b'{"event": "job.finished", "job": {"id": "7", "url": "https://host/f?temp_url_sig=5e"}}'
KEY = b"signing-secret"


class Signer:
    """A vendor whose signature is an HMAC of the raw body."""

    accounts = ("default",)
    refused_status = 403

    def is_genuine(self, account: str, headers: Mapping[str, str], body: bytes) -> bool:
        return hmac.compare_digest(headers.get("x-signature", ""), sign(body))

    def order_of(self, event: Mapping[str, Any]) -> str | None:
        return event["job"].get("order") if "job" in event else None

    def name_of(self, event: Mapping[str, Any]) -> str:
        return f"{event['event']} {event['job']['id']}"

    def kept(self, event: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in event.items() if name in ("event", "job")}


def sign(body: bytes) -> str:
    return hmac.new(KEY, body, "sha256").hexdigest()


@pytest.fixture
def signed(home):
    with running_receiver(home.ledger, home.store, signed={"signer": Signer()}) as made:
        yield made


def post(http: httpx.Client, url: str, body: bytes, signature: str | None) -> httpx.Response:
    headers = {} if signature is None else {"X-Signature": signature}
    return http.post(url, content=body, headers=headers)


def letters(home, topic=inbox.SCANS):
    with home.ledger.read() as tx:
        return inbox.unhandled(tx, "signer", topic, 9)


def test_a_genuine_webhook_is_kept_without_what_gives_its_urls_authority(home, signed, http):
    url = signed.signed_webhook("signer", "default")
    assert post(http, url, BODY, sign(BODY)).status_code == 200
    [letter] = letters(home)
    assert (letter.account, letter.subject) == ("default", "job.finished 7")
    assert b"job.finished" in letter.body
    assert b"https://host/f" in letter.body
    assert b"temp_url_sig" not in letter.body


def test_of_a_genuine_webhook_only_what_its_vendor_keeps_is_kept(home, signed, http):
    url = signed.signed_webhook("signer", "default")
    body = b'{"event": "job.finished", "job": {"id": "7"}, "payload": {"password": "lent"}}'
    assert post(http, url, body, sign(body)).status_code == 200
    [letter] = letters(home)
    assert json.loads(letter.body) == {"event": "job.finished", "job": {"id": "7"}}


def test_a_webhook_of_an_order_of_ours_ends_that_order_and_not_a_scan(home, signed, http):
    url = signed.signed_webhook("signer", "default")
    body = b'{"event": "job.finished", "job": {"id": "7", "order": "0a1b"}}'
    assert post(http, url, body, sign(body)).status_code == 200
    assert letters(home) == []
    assert [one.subject for one in letters(home, inbox.ORDERS)] == ["0a1b"]


def test_a_webhook_that_is_repeated_is_answered_alike_and_kept_once(home, signed, http):
    url = signed.signed_webhook("signer", "default")
    other = BODY.replace(b"finished", b"failed")
    for body in (BODY, BODY, other, BODY):
        assert post(http, url, body, sign(body)).status_code == 200
    assert [one.subject for one in letters(home)] == ["job.finished 7", "job.failed 7"]


@pytest.mark.parametrize("signature", [None, "", sign(b"{}"), sign(BODY).upper()])
def test_a_wrong_signature_is_answered_as_the_vendor_is_configured_and_counted(
    home, signed, http, signature
):
    url = signed.signed_webhook("signer", "default")
    assert post(http, url, BODY, signature).status_code == 403
    assert letters(home) == []
    metrics = http.get(url.split("/hooks")[0] + "/metrics").text
    line = 'export_webhooks_total{vendor="signer",topic="signatures",answer="403"}'
    assert line in metrics


@pytest.mark.parametrize(("vendor", "account"), [("copyleaks", "default"), ("signer", "other")])
def test_who_does_not_sign_here_is_not_found(home, signed, http, vendor, account):
    url = signed.signed_webhook(vendor, account)
    assert post(http, url, BODY, sign(BODY)).status_code == 404


def test_a_signed_body_that_is_no_json_object_is_refused(signed, http):
    url = signed.signed_webhook("signer", "default")
    assert post(http, url, b"[]", sign(b"[]")).status_code == 400


def test_the_address_is_no_secret_and_survives_hostile_account_names() -> None:
    url = Addresses("https://receiver.example", ("s",)).signed_webhook("signer", "a/../b?")
    assert url == "https://receiver.example/hooks/signer/a%2F..%2Fb%3F/signed"
