import asyncio
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from export_pipeline.errors import (
    AuthenticationFailed,
    ConfigError,
    RateLimited,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.ledger import quotas
from export_pipeline.ledger.rest import LOGIN_COOLDOWN_SECONDS, RATE_COOLDOWN_SECONDS
from export_pipeline.ledger.rows import Order
from export_pipeline.sandbox import Sandbox, SandboxOptions, SteppedClock
from export_pipeline.sandbox.laserfiche import EntrySpec, LaserficheOptions
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.http import IDLE_SECONDS
from export_pipeline.vendors.laserfiche.client import HOLD_SECONDS, QUESTIONS, TASKS_PER_CALL
from export_pipeline.vendors.laserfiche.exports import ASKING
from export_pipeline.vendors.laserfiche.options import CALLS_PER_MINUTE, EXPORTS_PER_MINUTE
from export_pipeline_tests.vendors.conformance import UNANSWERED, place, shows_no_secret
from export_pipeline_tests.vendors.laserfiche.bench import LARGE, LaserficheBench
from export_pipeline_tests.vendors.pulled import asked, placed
from export_pipeline_tests.vendors.transport import Planned, answer, breaking, echoes


def task(bench: LaserficheBench, scan: str, *traits: str) -> Order:
    return placed(bench, bench.placement(scan, spec=EntrySpec("x", pages=LARGE, traits=traits)))


def completion(bench: LaserficheBench, order: Order) -> Completion:
    bench.end()
    return asked(bench, order)[order.id]


def test_a_question_waits_as_long_as_the_vendor_may_hold_it() -> None:
    """Issue 4: a read time-out of 90 s, against the vendor's minute."""
    assert HOLD_SECONDS + IDLE_SECONDS == 90


def test_at_most_100_tasks_are_asked_after_in_a_call_and_never_none(
    bench: LaserficheBench,
) -> None:
    order = task(bench, "101")
    bench.end()
    before = bench.stats()["calls"].get("tasks", 0)
    orders = [replace(order, id=str(one), vendor_order=f"{order.vendor_order}") for one in range(1)]
    orders += [replace(order, id=f"o{one}", vendor_order=f"unknown-{one}") for one in range(249)]
    found = asked(bench, *orders)
    assert len(found) == 250
    stats = bench.stats()
    assert stats["calls"]["tasks"] - before == 3
    assert stats["most_tasks_asked"] == TASKS_PER_CALL
    assert asked(bench, replace(order, vendor_order=None)) == {}
    assert bench.stats()["questions_without_ids"] == 0


@pytest.mark.parametrize("count", [0, TASKS_PER_CALL + 1])
def test_the_client_refuses_to_ask_after_none_or_too_many(
    bench: LaserficheBench, count: int
) -> None:
    with pytest.raises(ValueError, match="ask after 1 to 100"):
        asyncio.run(bench.vendor.client("default").tasks(["x"] * count, None))
    with pytest.raises(ValueError, match="no task is named"):
        asyncio.run(bench.vendor.client("default").forget("", "token"))


def test_each_task_is_asked_after_with_the_token_that_started_it(bench: LaserficheBench) -> None:
    """The vendor knows a task by the token that started it alone."""
    first = task(bench, "101")
    old = bench.token
    asyncio.run(_renew(bench))
    second = task(bench, "102")
    assert old != bench.token
    bench.end()
    ready = Completion(is_ready=True)
    assert asked(bench, first, second) == {first.id: ready, second.id: ready}


async def _renew(bench: LaserficheBench) -> None:
    await bench.vendor.client("default").api.login.renew(anew=True)
    await bench.close()


def test_a_task_whose_token_ended_is_asked_after_with_the_next(bench: LaserficheBench) -> None:
    bench.options(tasks_of="account")
    order = task(bench, "101")
    bench.refuse_tokens()
    assert completion(bench, order).is_ready
    assert bench.logins() == 2


def test_a_task_that_went_with_its_token_is_ordered_again(bench: LaserficheBench) -> None:
    order = task(bench, "101")
    bench.refuse_tokens()
    found = completion(bench, order)
    assert "may with the token that started it" in found.failure
    assert not found.is_final


@pytest.mark.parametrize("unknown", ["absent", "refused"])
def test_a_task_that_the_vendor_forgot_is_lost_alone(bench: LaserficheBench, unknown: str) -> None:
    bench.options(unknown_task=unknown)
    lost = task(bench, "101", "lost_first")
    others = [task(bench, str(102 + number)) for number in range(6)]
    bench.end()
    found = asked(bench, *others[:3], lost, *others[3:])
    assert [one.id for one in others if found[one.id].is_ready] == [one.id for one in others]
    assert "no longer knows" in found[lost.id].failure


def test_the_repository_is_looked_for_once_before_any_task_is_called_lost(
    bench: LaserficheBench,
) -> None:
    bench.options(unknown_task="refused")
    lost = task(bench, "101", "lost_first")
    others = [task(bench, str(102 + number)) for number in range(6)]
    bench.end()
    assert asked(bench, lost, *others)[lost.id].failure
    assert bench.stats()["calls"]["repositories"] == 1


@pytest.mark.parametrize(
    ("repositories", "variable"),
    [
        (answer(200, text='{"value": [{"id": "r-other"}]}'), "EXPORT_LASERFICHE_REPOSITORY"),
        (answer(404), "EXPORT_LASERFICHE_URL"),
    ],
)
def test_a_wrong_repository_or_address_loses_no_task(
    bench: LaserficheBench, repositories: Planned, variable: str
) -> None:
    orders = [task(bench, scan) for scan in ("101", "102", "103")]
    bench.planned.extend([answer(404), repositories])
    with pytest.raises(ConfigError, match=f"^{variable}: "):
        asked(bench, *orders)
    assert asked(bench, *orders) == {}


@pytest.mark.parametrize(
    ("trait", "said", "is_final"),
    [
        ("fails_first", "Export operation failed", False),
        ("refused", "An audit reason is required. [9030]", True),
        ("cancelled_first", "somebody cancelled", False),
    ],
)
def test_a_task_that_ends_badly_says_why_and_whether_it_would_again(
    bench: LaserficheBench, trait: str, said: str, is_final: bool
) -> None:
    found = completion(bench, task(bench, "101", trait))
    assert said in found.failure
    assert (found.is_ready, found.is_final) == (False, is_final)


def test_a_task_that_completes_without_a_link_is_ordered_again(bench: LaserficheBench) -> None:
    order = task(bench, "101")
    one = {"id": order.vendor_order, "status": "Completed", "errors": [], "result": None}
    bench.planned.append(lambda _: httpx.Response(202, json={"value": [one]}))
    found = completion(bench, order)
    assert "without a link" in found.failure
    assert not found.is_final


def test_what_cannot_be_asked_after_right_now_is_left_out(bench: LaserficheBench) -> None:
    first = task(bench, "101")
    asyncio.run(_renew(bench))
    second = task(bench, "102")
    bench.end()
    bench.faults(tasks=["503"])
    found = asked(bench, first, second)
    assert len(found) == 1
    assert len(asked(bench, first, second)) == 2


@pytest.mark.parametrize(
    ("refusals", "seconds", "needs_person"),
    [
        ([answer(429, headers={"Retry-After": "500"})], 500.0, False),
        ([answer(429)], RATE_COOLDOWN_SECONDS, False),
        ([answer(403)], LOGIN_COOLDOWN_SECONDS, True),
        ([answer(404), answer(404)], LOGIN_COOLDOWN_SECONDS, True),
    ],
    ids=["429 for 500 s", "429", "403", "no API"],
)
def test_an_account_that_has_to_rest_loses_nothing_of_what_was_answered(
    bench: LaserficheBench, refusals: list[Planned], seconds: float, needs_person: bool
) -> None:
    first = task(bench, "101")
    asyncio.run(_renew(bench))
    second = task(bench, "102")
    refused = iter(refusals)
    done = {"id": second.vendor_order, "status": "Completed", "result": {"uri": "https://files/2"}}

    def answers_the_second(request: httpx.Request) -> httpx.Response:
        if str(second.vendor_order) in str(request.url):
            return httpx.Response(200, json={"value": [{**done, "errors": []}]})
        return next(refused)(request)

    bench.planned.extend([answers_the_second] * (len(refusals) + 1))
    with bench.ledger.read() as tx:
        began = tx.now
    assert asked(bench, first, second) == {second.id: Completion(is_ready=True)}
    assert asyncio.run(bench.vendor._served["default"].keeping.link(second.id)) == "https://files/2"
    with bench.ledger.read() as tx:
        rest = quotas.cooldown(tx, "laserfiche", "default")
        assert began + seconds <= rest.until <= tx.now + seconds
    assert rest.needs_person == needs_person
    assert rest.reason


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, RateLimited), (503, VendorUnavailable), (200, VendorUnavailable)],
)
def test_a_question_that_fails_ends_no_order(
    bench: LaserficheBench, status: int, kind: type[VendorError]
) -> None:
    order = task(bench, "101")
    bench.planned.append(answer(status, text="[]"))
    with pytest.raises(kind):
        asked(bench, order)


def test_refused_credentials_are_told_when_asking(bench: LaserficheBench) -> None:
    order = task(bench, "101")
    bench.planned.extend([answer(401)] * 3)
    with pytest.raises(AuthenticationFailed):
        asked(bench, order)


def test_no_secret_is_in_any_error_or_failure_of_asking(bench: LaserficheBench) -> None:
    order = task(bench, "101")
    plans = [
        *(echo for status in (200, 400, 403, 409, 410, 500) for echo in echoes(status)),
        *(breaking(kind, " ".join(bench.secrets)) for kind in UNANSWERED[1:]),
    ]
    for plan in plans:
        bench.forget_quotas()
        bench.planned.append(plan)
        found = _told(bench, order)
        bench.planned.clear()
        shows_no_secret(found if isinstance(found, Exception) else repr(found), bench.secrets)
    one = {"id": order.vendor_order, "status": "Failed"}
    errors = [{"status": 500, "title": f"at http://files/x?sig=1 with Bearer {bench.token}"}]
    body = {"value": [{**one, "errors": errors}]}
    bench.planned.append(lambda _: httpx.Response(200, json=body))
    shows_no_secret(repr(asked(bench, order)), bench.secrets)


def _told(bench: LaserficheBench, order: Order) -> Mapping[str, Completion] | Exception:
    try:
        return asked(bench, order)
    except VendorError as error:
        return error


def test_a_held_question_is_answered_when_the_first_task_ends(tmp_path: Path) -> None:
    """The vendor holds it, for a minute at most: here for two and a half of its seconds."""
    clock = SteppedClock()
    options = SandboxOptions(laserfiche=LaserficheOptions(pace="fast"))
    with (
        Sandbox(options, clock) as sandbox,
        LaserficheBench(tmp_path, sandbox, clock) as bench,
    ):
        spec = EntrySpec("x", pages=LARGE, work_seconds=2.5)
        placements = [bench.placement(scan, spec=spec) for scan in bench.scans]
        orders = [placed(bench, one) for one in placements]
        stepper = threading.Thread(target=_step_when_waited_for, args=(clock,))
        stepper.start()
        assert set(asked(bench, *orders)) == {order.id for order in orders}
        stepper.join()
        assert bench.stats()["calls"]["tasks"] == 1


def _step_when_waited_for(clock: SteppedClock) -> None:
    while not clock.sleepers():
        time.sleep(0.01)
    clock.advance(2.5)


def test_a_thousand_open_tasks_are_watched_in_ten_calls(bench: LaserficheBench) -> None:
    order = task(bench, "101")
    asking = bench.vendor.asking
    started = [bench.start("101") for _ in range(1_000)]
    orders = [replace(order, id=one, vendor_order=one) for one in started]
    for first in range(0, len(orders), asking.at_once):
        assert asked(bench, *orders[first : first + asking.at_once]) == {}
    assert bench.stats()["calls"]["tasks"] == 10
    assert bench.stats()["limited"] == {}


def test_a_thousand_open_tasks_are_asked_after_within_a_minute_and_none_is_forgotten() -> None:
    """Each question is held for a minute; a task is forgotten 15 minutes after its end."""
    assert ASKING.together * ASKING.at_once >= 1_000
    assert ASKING.together * ASKING.apart_seconds <= HOLD_SECONDS
    assert 60 / ASKING.apart_seconds + EXPORTS_PER_MINUTE <= CALLS_PER_MINUTE
    rounds = 10_000 / (ASKING.together * ASKING.at_once)
    assert rounds * (HOLD_SECONDS + ASKING.apart_seconds) < 15 * 60


def test_a_question_that_waits_for_its_turn_holds_no_other_call_back(
    bench: LaserficheBench,
) -> None:
    """Both limits claimed at one moment, every entry waited for the question, 3 s a time."""
    order = task(bench, "101")
    with bench.ledger.read() as tx:
        began = tx.now
    asked(bench, order)
    asked(bench, order)
    client = bench.vendor.client("default")
    with bench.ledger.read() as tx:
        questions = quotas.next_free(tx, "laserfiche", "default", QUESTIONS)
        calls = quotas.next_free(tx, "laserfiche", "default", client.api.calls)
    assert questions - began >= 2 * ASKING.apart_seconds
    assert calls == tx.now


def test_placing_again_after_a_loss_makes_a_task_of_its_own(bench: LaserficheBench) -> None:
    order = task(bench, "101", "lost_first")
    assert completion(bench, order).failure
    repeat = bench.placement("101", at_vendor=False)
    (receipt,) = place(bench, repeat)
    again = replace(repeat.order, vendor_order=receipt.vendor_order)
    assert again.vendor_order != order.vendor_order
    assert completion(bench, again).is_ready
