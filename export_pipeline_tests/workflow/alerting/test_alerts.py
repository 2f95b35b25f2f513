"""Alerts through a real receiver of webhooks."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from export_pipeline.errors import ConfigError
from export_pipeline.ledger import alerts, quotas
from export_pipeline.ledger.alerts import Cause
from export_pipeline.ledger.database import Ledger, sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline.settings import Settings
from export_pipeline.vendors.http import make_client
from export_pipeline.vendors.open import open_vendors
from export_pipeline.workflow.alerting.address import Address, find_address
from export_pipeline.workflow.alerting.alerts import Sent, send_due
from export_pipeline.workflow.alerting.causes import read_causes
from export_pipeline_tests.ledger.conftest import SteppedClock
from export_pipeline_tests.ledger.made_up import add_generations, add_orders, add_scans
from export_pipeline_tests.servers.alert_target import (
    AlertTarget,
    running_alert_target,
    slack_problem,
)

HOSTILE = 'a/../b%2f;:"<x>'
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ACCOUNT = {"EXPORT_COPYLEAKS_EMAIL": "a@example.com", "EXPORT_COPYLEAKS_KEY": "the-key-of-it"}


@pytest.fixture
def target() -> Iterator[AlertTarget]:
    with running_alert_target() as running:
        yield running


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: SteppedClock) -> Iterator[Ledger]:
    made = make_ledger(sqlite_url(tmp_path), clock)
    yield made
    made.close()


def settings(**variables: str) -> Settings:
    return Settings.from_env({**ACCOUNT, **variables})


def address(url: str, **variables: str) -> Address:
    found = find_address(settings(EXPORT_ALERT_URL=url, **variables))
    assert found is not None
    return found


def look(ledger: Ledger, **variables: str) -> list[Cause]:
    """What the sensor does: note what is wrong."""
    known = settings(**variables)
    with ledger.write() as tx:
        causes = read_causes(tx, open_vendors(known, ledger), known.order_deadline)
        alerts.note(tx, causes, is_told=True)
    return causes


def send(ledger: Ledger, to: Address, owner: str = "one") -> Sent:
    async def sending() -> Sent:
        async with make_client() as http:
            return await send_due(ledger, to, http, owner=owner, sleep=nothing)

    return asyncio.run(sending())


async def nothing(_seconds: float) -> None:
    await asyncio.sleep(0)


def fail(ledger: Ledger, count: int, reason: str) -> None:
    with ledger.write() as tx:
        first = {"scan": HOSTILE, "state": "failed", "reason": reason.format(HOSTILE)}
        rest = [
            {"scan": f"essay-{number}", "state": "failed", "reason": reason.format(number)}
            for number in range(count - 1)
        ]
        add_scans(tx, [first, *rest])


def test_500_scans_that_fail_for_one_reason_are_one_message(
    ledger: Ledger, target: AlertTarget
) -> None:
    fail(ledger, 500, "copyleaks: refused after {0} tries (scan {0}, request id r-{0})")
    look(ledger)
    assert send(ledger, address(target.url)) == Sent(1)
    (post,) = target.taken
    assert post.json["count"] == 500
    assert post.json["names"] == [HOSTILE, "essay-0", "essay-1"]
    assert post.json["command"] == "export-pipeline retry --vendor copyleaks --account default"
    look(ledger)
    assert send(ledger, address(target.url)) == Sent(0)


def test_slack_takes_what_is_posted_to_it(
    ledger: Ledger, target: AlertTarget, clock: SteppedClock
) -> None:
    target.is_slack = True
    with ledger.write() as tx:
        why = "<!channel> & `no`"
        names = [f"{number}{'<&>`' * 8}" for number in range(5)]
        rows = [{"scan": name, "state": "failed", "reason": why} for name in names]
        add_scans(tx, rows)
    look(ledger)
    to = address(target.url, EXPORT_ALERT_FORMAT="slack")
    assert send(ledger, to) == Sent(1)
    clock.step(2 * 86_400)
    look(ledger)
    assert send(ledger, to) == Sent(1)
    first, second = (post.json["text"] for post in target.taken)
    assert first.startswith("*5 scans of copyleaks account default failed*\n")
    assert second.startswith("Still: *5 scans")
    assert "why: `&lt;!channel&gt; &amp; " in first
    assert not any(sign in first for sign in "<>")
    assert "run: `export-pipeline retry" in first
    assert target.taken[0].headers["content-type"] == "application/json"


def test_a_webhook_that_is_not_slack_s_gets_the_documented_json_and_slack_would_not_take_it(
    ledger: Ledger, target: AlertTarget, clock: SteppedClock
) -> None:
    fail(ledger, 1, "the store is full")
    look(ledger)
    assert send(ledger, address(target.url)) == Sent(1)
    (post,) = target.taken
    assert post.json["type"] == "export_pipeline.alert"
    assert post.json["title"] == "1 scan of copyleaks account default failed"
    assert slack_problem(post) == "invalid_payload"


def test_each_thing_that_is_wrong_is_one_message_that_says_what_to_run(
    ledger: Ledger, target: AlertTarget, clock: SteppedClock
) -> None:
    signed = "https://bucket.example/key?X-Amz-Signature=0123456789abcdef"
    with ledger.write() as tx:
        ids = add_scans(tx, [{"scan": f"s{n}", "state": "ordered"} for n in range(40)])
        late = {"state": "completed", "sent_at": tx.now - 9_000, "deadline": tx.now - 1_000}
        silent = {"state": "waiting", "sent_at": tx.now - 4_000, "deadline": tx.now + 3_200}
        add_orders(tx, [{**late, "scan_id": one, "id": f"l{one}"} for one in ids[:9]])
        add_orders(tx, [{**silent, "scan_id": one, "id": f"s{one}"} for one in ids[9:20]])
        add_generations(tx, [{"scan_id": one, "damage": f"s{one} changed"} for one in ids[20:]])
        why = f"copyleaks: the login: refused at {signed}"
        quotas.cool_down(tx, "copyleaks", "default", 300, why, needs_person=True)
        quotas.cool_down(tx, "copyleaks", "gone", 300, why, needs_person=True)
    look(ledger)
    assert send(ledger, address(target.url)) == Sent(4)
    told = {post.json["cause"].split(":")[0]: post.json for post in target.taken}
    assert {kind: one["count"] for kind, one in told.items()} == {
        "late": 9,
        "silent": 11,
        "damage": 20,
        "login": 1,
    }
    assert told["login"]["command"] == "export-pipeline check"
    assert told["login"]["reason"].endswith("refused at https://bucket.example/[redacted]")
    assert told["damage"]["command"].endswith(
        "verify --vendor copyleaks --account default s20 s21 s22"
    )
    assert told["late"]["command"].endswith("scans show --vendor copyleaks --account default s0")
    assert not any(b"Amz" in post.body for post in target.taken)


def test_an_account_that_is_set_wrongly_is_told_and_what_holds_up_several_once(
    ledger: Ledger, target: AlertTarget, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        quotas.cool_down(tx, "copyleaks", "eu", 300, "it was refused", needs_person=True)
    wrong = {
        "EXPORT_COPYLEAKS_ACCOUNTS": "eu",
        "EXPORT_COPYLEAKS_EU_KEY": "its-key",
        "EXPORT_HOOKBRIDGE_ACCOUNTS": "eu us",
        "EXPORT_HOOKBRIDGE_KEY": "another-key",
        "EXPORT_HOOKBRIDGE_ZONE": "https://nowhere.example/?X-Amz-Signature=0123456789abcdef",
    }
    look(ledger, **wrong)
    assert send(ledger, address(target.url)) == Sent(2)
    told = {post.json["cause"]: post.json for post in target.taken}
    half, whole = told["account:copyleaks/eu"], told["account:hookbridge/default"]
    assert (half["names"], whole["names"]) == (["eu"], ["default", "eu", "us"])
    assert half["title"] == "1 account of copyleaks is set wrongly: nothing is sent on it"
    assert half["reason"] == "EXPORT_COPYLEAKS_EU_EMAIL is not set: account 'eu' needs it"
    assert whole["title"] == "3 accounts of hookbridge are set wrongly: nothing is sent on them"
    assert whole["reason"].startswith("EXPORT_HOOKBRIDGE_ZONE: ")
    assert not any(b"-key" in post.body or b"Amz" in post.body for post in target.taken)
    clock.step(1_000)
    look(ledger)
    assert send(ledger, address(target.url)) == Sent(2)
    assert {post.json["state"] for post in target.taken[2:]} == {"over"}


def test_what_is_mended_is_told_as_over(
    ledger: Ledger, target: AlertTarget, clock: SteppedClock
) -> None:
    fail(ledger, 2, "the store is full")
    look(ledger)
    send(ledger, address(target.url))
    with ledger.write() as tx:
        tx.connection.exec_driver_sql("UPDATE scans SET state = 'archived', reason = ''")
    clock.step(1_000)
    look(ledger)
    assert send(ledger, address(target.url)) == Sent(1)
    assert [post.json["state"] for post in target.taken] == ["began", "over"]


def test_more_reasons_than_a_person_reads_are_one_message_for_the_rest(ledger: Ledger) -> None:
    words = [f"{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(60)]
    with ledger.write() as tx:
        rows = [{"scan": word, "state": "failed", "reason": f"because of {word}"} for word in words]
        add_scans(tx, [*rows, {**rows[-1], "scan": "again"}])
    causes = look(ledger)
    assert len(causes) == 11
    assert causes[0].count == 2, "the largest is one of its own"
    assert (causes[-1].cause, causes[-1].count) == ("failed:copyleaks/default", 50)
    assert causes[-1].reason.startswith("50 more reasons")


def test_a_failing_address_is_tried_again_later_and_its_problem_is_known(
    ledger: Ledger, target: AlertTarget, clock: SteppedClock
) -> None:
    fail(ledger, 1, "the store is full")
    look(ledger)
    target.status = 500
    assert send(ledger, address(target.url)) == Sent(0, "127.0.0.1 answers 500")
    assert send(ledger, address(target.url)) == Sent(0), "it rests"
    with ledger.read() as tx:
        assert [one.problem for one in alerts.known(tx)] == ["127.0.0.1 answers 500"]
    target.status = 200
    clock.step(70)
    assert send(ledger, address(target.url)) == Sent(1)
    assert (len(target.taken), target.refused) == (1, 1)


def test_an_address_that_names_a_time_is_spared_until_then(
    ledger: Ledger, target: AlertTarget, clock: SteppedClock
) -> None:
    fail(ledger, 1, "the store is full")
    look(ledger)
    target.status, target.headers = 429, {"Retry-After": "600"}
    send(ledger, address(target.url))
    clock.step(590)
    assert send(ledger, address(target.url)) == Sent(0)
    assert target.refused == 1


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_redirect_is_not_followed_as_it_would_take_the_secret_along(
    ledger: Ledger, target: AlertTarget, status: int
) -> None:
    fail(ledger, 1, "the store is full")
    look(ledger)
    target.status, target.headers = status, {"Location": target.url}
    assert send(ledger, address(target.url)).problem == f"127.0.0.1 answers {status}"
    assert target.refused == 1


def test_no_text_about_an_address_shows_its_secret(ledger: Ledger) -> None:
    to = address("http://user:pass@127.0.0.1:9/services/a-secret-path")
    fail(ledger, 1, "the store is full")
    look(ledger)
    problem = send(ledger, to).problem
    assert problem == "127.0.0.1 cannot be reached (ConnectError)"
    shown = f"{to!r} {settings(EXPORT_ALERT_URL=to.url, EXPORT_ALERT_SECRET=WHSEC)!r} {to.host}"
    assert "pass" not in shown.replace("password", "")
    assert "a-secret-path" not in shown
    assert WHSEC not in shown


def test_two_processes_together_tell_each_cause_once(
    ledger: Ledger, target: AlertTarget, tmp_path: Path, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        words = [chr(97 + n) for n in range(9)]
        rows = [{"scan": one, "state": "failed", "reason": f"because of {one}"} for one in words]
        add_scans(tx, rows)
    look(ledger)
    other = Ledger(sqlite_url(tmp_path), clock)
    with ThreadPoolExecutor(2) as both:
        counts = both.map(send, (ledger, other), [address(target.url)] * 2, ("one", "two"))
        assert sum(sent.count for sent in counts) == 9
    other.close()
    assert len({post.json["cause"] for post in target.taken}) == len(target.taken) == 9


def test_a_message_that_was_taken_but_not_noted_is_repeated_under_the_same_name(
    ledger: Ledger, target: AlertTarget, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(ledger, 1, "the store is full")
    look(ledger)
    with monkeypatch.context() as crash:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        crash.setattr(alerts, "sent", die)
        with pytest.raises(KeyboardInterrupt):
            send(ledger, address(target.url))
    clock.step(121)
    assert send(ledger, address(target.url), "two") == Sent(1)
    first, second = (post.headers["webhook-id"] for post in target.taken)
    assert first == second


def test_a_signature_is_that_of_standard_webhooks(ledger: Ledger, target: AlertTarget) -> None:
    fail(ledger, 1, "the store is full")
    look(ledger)
    send(ledger, address(target.url, EXPORT_ALERT_SECRET=WHSEC))
    (post,) = target.taken
    name, moment = post.headers["webhook-id"], post.headers["webhook-timestamp"]
    key = base64.b64decode(WHSEC.removeprefix("whsec_"))
    signed = f"{name}.{moment}.".encode() + post.body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert post.headers["webhook-signature"] == f"v1,{digest}"


def test_the_signature_of_the_specification_s_own_example_is_ours() -> None:
    """Standard Webhooks 1.0, as its reference libraries test it."""
    to = address("http://127.0.0.1", EXPORT_ALERT_SECRET=WHSEC)
    headers = to._signature(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1_614_265_330.0
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("url", "form", "is_slack"),
    [
        ("https://hooks.slack.com/services/T/B/x", "auto", True),
        ("https://hooks.slack.com.example.org/x", "auto", False),
        ("https://chat.example.org/hooks/x", "slack", True),
        ("https://hooks.slack.com/services/T/B/x", "json", False),
    ],
)
def test_slack_s_form_is_for_slack_s_host_or_where_it_is_asked_for(
    url: str, form: str, is_slack: bool
) -> None:
    assert address(url, EXPORT_ALERT_FORMAT=form).is_slack is is_slack


@pytest.mark.parametrize("url", ["hooks.slack.com/x", "ftp://host/x", "https://", "http://[x"])
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigError, match=r"EXPORT_ALERT_URL is not an http") as told:
        address(url)
    assert "slack" not in str(told.value)


@pytest.mark.parametrize(
    "secret", ["a text", "whsec_?", "whsec_MfK", "whsec_c2hvcnQ=", "whsec_é", WHSEC[6:]]
)
def test_a_key_that_is_none_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(ConfigError, match="EXPORT_ALERT_SECRET is no key") as told:
        address("https://example.org", EXPORT_ALERT_SECRET=secret)
    assert "a text" not in str(told.value)
