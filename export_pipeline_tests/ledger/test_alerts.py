from dataclasses import replace

import pytest

from export_pipeline.ledger import alerts
from export_pipeline.ledger.alerts import CALM_SECONDS, REPEAT_SECONDS, Alert, Cause
from export_pipeline.ledger.database import Ledger
from export_pipeline_tests.ledger.conftest import SteppedClock

HOSTILE = 'a/../b%2f;:"<x>'
LOGIN = Cause("login:copyleaks/default", "a login", "refused", "check", 1, ["default"])
DAMAGE = Cause("damage:copyleaks/default", "damage", "changed", "verify", 2, [HOSTILE, "é =2e"])


class Watch:
    """A sensor and a sender of one ledger."""

    def __init__(self, ledger: Ledger, clock: SteppedClock) -> None:
        self.ledger = ledger
        self.clock = clock

    def note(self, *found: Cause, is_told: bool = True) -> None:
        with self.ledger.write() as tx:
            alerts.note(tx, found, is_told=is_told)

    def take(self, owner: str = "one") -> Alert | None:
        with self.ledger.write() as tx:
            return alerts.take(tx, owner, 120.0)

    def sent(self, alert: Alert, owner: str = "one") -> None:
        with self.ledger.write() as tx:
            alerts.sent(tx, alert, owner)

    def failed(self, alert: Alert) -> None:
        with self.ledger.write() as tx:
            alerts.failed(tx, alert, "it answers 500", alert.pause)

    def told(self) -> list[tuple[str, bool]]:
        """Send whatever is due: each cause, and whether it is over."""
        found = []
        while (alert := self.take()) is not None:
            self.sent(alert)
            found.append((alert.cause, alert.over))
        return found

    def known(self) -> list[Alert]:
        with self.ledger.read() as tx:
            return alerts.known(tx)


@pytest.fixture
def watch(ledger: Ledger, clock: SteppedClock) -> Watch:
    return Watch(ledger, clock)


def test_a_cause_is_told_when_it_begins_daily_while_it_lasts_and_when_it_is_over(
    watch: Watch,
) -> None:
    told = []
    for _ in range(int(2.5 * REPEAT_SECONDS / 600)):
        watch.note(LOGIN)
        told += watch.told()
        watch.clock.step(600)
    assert told == [(LOGIN.cause, False)] * 3
    for _ in range(6):
        watch.note()
        told += watch.told()
        watch.clock.step(600)
    assert told[3:] == [(LOGIN.cause, True)]
    assert watch.known() == []


def test_a_cause_that_is_gone_for_minutes_only_is_not_over(watch: Watch) -> None:
    """A refused login is tried again every five minutes: in between nothing refuses it."""
    watch.note(LOGIN)
    assert watch.told() == [(LOGIN.cause, False)]
    for _ in range(10):
        watch.clock.step(CALM_SECONDS - 60)
        watch.note()
        assert watch.told() == []
        watch.note(LOGIN)
        assert watch.told() == []


def test_what_is_told_is_how_it_stands_then(watch: Watch) -> None:
    watch.note(DAMAGE)
    watch.note(replace(DAMAGE, count=500, title="much damage"))
    alert = watch.take()
    assert alert is not None
    assert (alert.count, alert.title, list(alert.names)) == (500, "much damage", [HOSTILE, "é =2e"])


def test_two_senders_never_take_the_same_message(watch: Watch) -> None:
    watch.note(LOGIN, DAMAGE)
    taken = [watch.take("one"), watch.take("two"), watch.take("three")]
    assert {alert.cause for alert in taken if alert} == {LOGIN.cause, DAMAGE.cause}
    assert taken[2] is None


def test_a_message_whose_sender_died_is_sent_by_the_next(watch: Watch) -> None:
    watch.note(LOGIN)
    died = watch.take("one")
    watch.clock.step(121)
    assert watch.take("two") == died
    assert died is not None
    watch.sent(died, "one")
    assert watch.known()[0].sent_at is None, "only whose lease it is may note it"


def test_what_ends_while_it_is_told_is_told_as_over_next(watch: Watch) -> None:
    watch.note(LOGIN)
    alert = watch.take()
    assert alert is not None
    watch.clock.step(CALM_SECONDS + 1)
    watch.note()
    watch.sent(alert)
    assert watch.told() == [(LOGIN.cause, True)]


def test_what_comes_back_while_its_end_is_told_is_told_anew(watch: Watch) -> None:
    watch.note(LOGIN)
    watch.told()
    watch.clock.step(CALM_SECONDS + 1)
    watch.note()
    over = watch.take()
    assert over is not None
    assert over.over
    watch.note(LOGIN)
    watch.sent(over)
    assert watch.told() == [(LOGIN.cause, False)]


def test_what_comes_back_before_its_end_is_told_goes_on_as_before(watch: Watch) -> None:
    watch.note(LOGIN)
    watch.told()
    watch.clock.step(CALM_SECONDS + 1)
    watch.note()
    watch.note(LOGIN)
    assert watch.told() == []
    watch.clock.step(REPEAT_SECONDS)
    assert watch.told() == [(LOGIN.cause, False)]


def test_a_cause_that_came_and_went_untold_is_told_once_as_over(watch: Watch) -> None:
    watch.note(LOGIN)
    watch.clock.step(CALM_SECONDS + 1)
    watch.note()
    assert watch.told() == [(LOGIN.cause, True)]
    assert watch.known() == []


def test_a_failing_address_rests_ever_longer_with_all_that_waits_for_it(watch: Watch) -> None:
    watch.note(LOGIN, DAMAGE)
    pauses = []
    for _ in range(9):
        alert = watch.take()
        assert alert is not None
        pauses.append(alert.pause)
        watch.failed(alert)
        watch.clock.step(alert.pause - 1)
        assert watch.take() is None
        watch.clock.step(2)
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert {alert.problem for alert in watch.known()} == {"it answers 500"}
    assert len(watch.told()) == 2
    assert {(alert.failures, alert.problem) for alert in watch.known()} == {(0, "")}


def test_a_message_that_is_never_taken_keeps_no_other_back(watch: Watch) -> None:
    watch.note(LOGIN, DAMAGE)
    poison = watch.take()
    assert poison is not None
    watch.failed(poison)
    watch.clock.step(poison.pause + 2)
    other = watch.take()
    assert other is not None
    assert other.cause != poison.cause


def test_a_cause_that_ends_while_the_address_fails_waits_for_its_next_try(watch: Watch) -> None:
    watch.note(LOGIN)
    for _ in range(8):
        alert = watch.take()
        assert alert is not None
        watch.failed(alert)
        watch.clock.step(alert.pause + 1)
    alert = watch.take()
    assert alert is not None
    watch.failed(alert)
    watch.clock.step(CALM_SECONDS + 1)
    watch.note()
    assert watch.take() is None


def test_without_an_address_what_lasts_is_known_and_what_is_over_is_not(watch: Watch) -> None:
    watch.note(LOGIN, DAMAGE, is_told=False)
    watch.clock.step(CALM_SECONDS + 1)
    watch.note(DAMAGE, is_told=False)
    assert [alert.cause for alert in watch.known()] == [DAMAGE.cause]


def test_it_is_known_when_causes_were_last_looked_for(watch: Watch, clock: SteppedClock) -> None:
    with watch.ledger.read() as tx:
        assert alerts.looked_at(tx) is None
    watch.note()
    with watch.ledger.read() as tx:
        assert alerts.looked_at(tx) == clock.now
