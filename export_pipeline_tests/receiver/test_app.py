"""What holds for every request."""

import logging
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from export_pipeline import logs
from export_pipeline.receiver.addresses import TOKEN_HEADER
from export_pipeline.storage.store import UploadTarget
from export_pipeline_tests.receiver.sending import begin, send, with_status
from export_pipeline_tests.servers.receiver import SECRET

PIECES = st.sampled_from(
    ["hooks", "copyleaks", "default", "scans", "orders", "uploads", "healthz", "metrics", "inbox",
     "checks", "completed", "..", ".", "%2e%2e", "%2f", "%00", "%ff", "", "a=2f", "%", ";x", "?q=1"]
)  # fmt: skip
PATHS = st.lists(PIECES | st.text("abc%./\\=~", max_size=6), max_size=8).map("/".join)


def base_of(addresses):
    return addresses.upload("", "").url.split("/uploads")[0]


def test_health_says_that_ledger_and_store_answer(addresses, http):
    answer = http.get(base_of(addresses) + "/healthz")
    assert (answer.status_code, answer.json()) == (200, {"ledger": "ok", "store": "ok"})
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/uploads/order/a.json", 405),
        ("DELETE", "/hooks/copyleaks/default/scans/completed", 405),
        ("POST", "/hooks/copyleaks/default/scans/completed/", 404),
        ("GET", "/", 404),
        ("POST", "/hooks/copyleaks/default/scans/completed", 401),
        ("PUT", "/uploads/order/" + "x" * 60_000, 401),
    ],
)
def test_what_is_not_ours_is_refused(addresses, http, verb, path, status):
    assert http.request(verb, base_of(addresses) + path).status_code == status


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(["GET", "PUT", "POST"]), PATHS, st.booleans())
def test_no_path_makes_it_fail_or_write(home, addresses, verb, path, with_token):
    headers = addresses.upload("order", "a.json").headers if with_token else ()
    url = urlsplit(base_of(addresses))
    assert url.hostname is not None
    head = [f"{verb} /{path} HTTP/1.1", "Host: x", "Content-Length: 4"]
    head += ["Connection: close", *(f"{name}: {value}" for name, value in headers)]
    with socket.create_connection((url.hostname, url.port or 80)) as connection:
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\nbody")
        answer = connection.makefile("rb").read()
    status = int(answer.split()[1])
    assert status in (400, 401, 404, 405) or (status, path) in ((200, "healthz"), (200, "metrics"))
    assert home.files() == []
    assert sorted(p.name for p in home.path.parent.iterdir()) == ["home"]


@pytest.fixture
def every_level():
    before = structlog.get_config()
    logs.configure("debug")
    yield
    structlog.configure(**before)


@pytest.mark.usefixtures("every_level")
def test_no_log_line_shows_a_token_or_a_query(home, addresses, http, caplog):
    order = home.order("scan", ["a.json"])
    upload, hook = addresses.upload(order.id, "a.json"), addresses.order_webhook(order)
    with capture_logs() as lines, caplog.at_level(logging.DEBUG):
        send(http, hook, b"{}")
        send(http, upload, b"x")
        send(http, upload, b"other")
        in_path = addresses.scan_webhook_with_token("copyleaks", "default")
        for status, body in (("completed", b"{}"), ("error", b"[]"), ("x" * 65, b"{}")):
            answer = send(http, with_status(in_path, status), body)
            assert in_path.url.split("/")[-2] not in answer.text + str(answer.headers)
        send(http, UploadTarget("PUT", upload.url + "?token=in-query", hook.headers), b"x")
        send(http, addresses.upload(order.id, "b.json"), b"x")
        send(http, UploadTarget("GET", upload.url, upload.headers), b"")
        with begin(addresses.upload(order.id, "a.json"), "Content-Length: 9"):
            pass
        while lines[-1]["event"] != "cut short by the sender":
            time.sleep(0.01)
        http.get(base_of(addresses) + "/in-path-" + dict(hook.headers)[TOKEN_HEADER])
    events = {line["event"] for line in lines}
    assert {"webhook kept", "artifact delivered", "cut short by the sender", "refused"} <= events
    assert any(line.get("subject") == "completed" for line in lines)
    assert any(line.get("order") == order.id for line in lines)
    ours = [*map(str, lines), *(r.getMessage() for r in caplog.records if "httpx" not in r.name)]
    secrets = [SECRET, "in-query", *(dict(t.headers)[TOKEN_HEADER] for t in (upload, hook))]
    secrets.append(in_path.url.split("/")[-2])
    assert [(line, s) for line in ours for s in secrets if s in line] == []


def test_an_answer_never_repeats_what_was_sent(addresses, http):
    answer = httpx.put(base_of(addresses) + "/uploads/echo-me/echo-me", trust_env=False)
    assert "echo-me" not in answer.text
