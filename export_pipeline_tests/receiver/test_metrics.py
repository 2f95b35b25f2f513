"""What Prometheus reads, over HTTP."""

import re

from export_pipeline.ledger.rows import OrderState
from export_pipeline_tests.receiver.sending import send, with_status

LINE = re.compile(r'(# TYPE \w+ (counter|gauge|histogram)|\w+\{(\w+="[\w.+]*",?)*\} [\d.e-]+)')


def metrics(addresses, http):
    answer = http.get(addresses.upload("", "").url.split("/uploads")[0] + "/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def test_webhooks_and_uploads_are_counted_by_answer(home, addresses, http):
    order = home.order("secret-scan", ["a.json"])
    hook, upload = addresses.order_webhook(order), addresses.upload(order.id, "a.json")
    for body in (b"{}", b"{}", b"[]"):
        send(http, hook, body)
    for body in (b"12345", b"12345", b"other"):
        send(http, upload, body)
    found = metrics(addresses, http)
    orders = 'export_webhooks_total{vendor="copyleaks",topic="orders"'
    assert found[orders + ',answer="200"}'] == "2"
    assert found[orders + ',answer="400"}'] == "1"
    uploads = {key: value for key, value in found.items() if "uploads_total" in key}
    assert uploads == {
        f'export_uploads_total{{answer="{answer}"}}': "1" for answer in (201, 200, 409)
    }
    assert found['export_received_bytes_total{kind="webhooks"}'] == "6"
    assert found['export_received_bytes_total{kind="uploads"}'] == "15"
    assert found['export_request_seconds_count{kind="uploads"}'] == "3"
    assert found['export_request_seconds_bucket{kind="uploads",le="+Inf"}'] == "3"
    assert float(found['export_request_seconds_sum{kind="uploads"}']) > 0
    assert 'export_request_seconds_bucket{kind="uploads",le="0.005"}' in found


def test_the_ledgers_backlog_is_shown(home, addresses, http):
    order = home.order("scan", [])
    home.order("other", [])
    send(http, addresses.order_webhook(order), b"{}")
    found = metrics(addresses, http)
    assert found['export_inbox_unhandled{vendor="copyleaks",topic="orders"}'] == "1"
    queued = {s: "2" if s == OrderState.QUEUED else "0" for s in OrderState if s != "closed"}
    assert {key: value for key, value in found.items() if "open_orders" in key} == {
        f'export_open_orders{{state="{state}"}}': count for state, count in queued.items()
    }


def test_what_strangers_send_makes_no_label(home, addresses, http):
    url = addresses.order_webhook(home.order("scan", [])).url
    http.post(url.replace("copyleaks", "made-up"), content=b"{}")
    http.get(url + "/no/such/path")
    found = metrics(addresses, http)
    assert found['export_refused_total{answer="401"}'] == "1"
    assert found['export_refused_total{answer="404"}'] == "1"
    assert [key for key in found if "made-up" in key or "webhooks_total" in key] == []


def test_those_who_watch_are_not_counted(home, addresses, http):
    base = addresses.upload("", "").url.split("/uploads")[0]
    assert http.get(base + "/healthz").status_code == 200
    assert http.post(base + "/metrics").status_code == 405
    metrics(addresses, http)
    found = metrics(addresses, http)
    assert [key for key in found if "refused_total" in key] == []
    http.get(base + "/metrics/more")
    assert metrics(addresses, http)['export_refused_total{answer="404"}'] == "1"


def test_no_secret_and_no_id_is_a_label(home, addresses, http):
    order = home.order("a-scan-id", ["a.json"])
    in_path = addresses.scan_webhook_with_token("copyleaks", "an-account")
    send(http, with_status(in_path, "completed"), b"{}")
    send(http, addresses.upload(order.id, "a.json"), b"x")
    shown = "".join(metrics(addresses, http))
    for hidden in (in_path.url.split("/")[-2], order.id, "a-scan-id", "an-account", "a.json"):
        assert hidden not in shown
