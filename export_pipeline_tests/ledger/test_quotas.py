import heapq
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import count, pairwise
from multiprocessing import get_context

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export_pipeline.ledger import quotas
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.home import open_ledger
from export_pipeline.ledger.quotas import Quota
from export_pipeline_tests.ledger.conftest import SteppedClock

EXPORTS = Quota("exports", limit=10, window_seconds=60)
LOGINS = Quota("logins", limit=12, window_seconds=900, burst=12)
MIXED = Quota("mixed", limit=20, window_seconds=60, burst=5)


def most_in_any_window(calls: list[float], window: float) -> int:
    """The sliding-window judge: how many calls fall into the fullest window."""
    times = sorted(calls)
    start = fullest = 0
    for end, time in enumerate(times):
        while time - times[start] >= window:
            start += 1
        fullest = max(fullest, end - start + 1)
    return fullest


@dataclass
class Team:
    """Processes that claim, sleep, wake late, and sometimes die between claim and call."""

    tx: Tx
    quota: Quota
    rng: random.Random
    size: int = 2
    death: float = 0.0
    oversleep: float = 0.0

    def calls(self, account: str, seconds: float) -> list[float]:
        begin = self.tx.now
        made: list[float] = []
        awake = [(begin, member) for member in range(self.size)]
        while awake:
            now, member = heapq.heappop(awake)
            if now >= begin + seconds:
                continue
            moment = quotas.claim(Tx(self.tx.connection, now), "v", account, [self.quota])
            assert moment >= now
            heapq.heappush(awake, (self._use(moment, made), member))
        return [call for call in made if call < begin + seconds]

    def _use(self, moment: float, made: list[float]) -> float:
        if self.rng.random() < self.death:
            return moment - self.rng.random() * self.quota.interval
        if self.rng.random() < self.oversleep:
            return moment + self.quota.tolerance * (1 + self.rng.random())
        call = moment + self.rng.random() * self.quota.tolerance
        made.append(call)
        return call


@pytest.mark.parametrize("quota", [EXPORTS, LOGINS, MIXED], ids=lambda quota: quota.name)
def test_no_window_ever_holds_more_calls_than_the_vendor_allows(
    ledger: Ledger, quota: Quota
) -> None:
    accounts = (f"account-{number}" for number in count())

    @settings(max_examples=15)
    @given(st.integers(0, 2**32), st.integers(1, 3), st.sampled_from([0.0, 0.1]))
    def judge(seed: int, size: int, trouble: float) -> None:
        with ledger.write() as tx:
            team = Team(tx, quota, random.Random(seed), size, trouble, trouble)
            calls = team.calls(next(accounts), 12 * quota.window_seconds)
        assert most_in_any_window(calls, quota.window_seconds) <= quota.limit

    judge()


def test_an_hour_of_two_processes_with_restarts_uses_98_percent_of_the_exports(
    ledger: Ledger,
) -> None:
    with ledger.write() as tx:
        calls = Team(tx, EXPORTS, random.Random(7), death=0.002).calls("default", 3600)
        claimed = quotas.granted(tx, "v", "default", "exports")
    assert most_in_any_window(calls, 60) <= 10
    assert claimed > len(calls)
    assert len(calls) >= 0.98 * 600


def test_the_whole_burst_may_be_used_at_once_and_then_no_more(ledger: Ledger) -> None:
    with ledger.write() as tx:
        moments = [quotas.claim(tx, "v", "a", [LOGINS]) for _ in range(13)]
        assert quotas.next_free(tx, "v", "a", LOGINS) > moments[12]
    assert moments[:12] == [tx.now] * 12
    assert moments[12] >= tx.now + 900 + LOGINS.tolerance


def test_a_claim_of_two_quotas_keeps_both(ledger: Ledger) -> None:
    requests = Quota("requests", limit=10, window_seconds=1)
    with ledger.write() as tx:
        plain = [quotas.claim(tx, "v", "a", [requests]) for _ in range(20)]
        both = [quotas.claim(tx, "v", "a", [requests, EXPORTS]) for _ in range(20)]
    assert most_in_any_window(plain + both, 1) <= 10
    assert most_in_any_window(both, 60) <= 10


def claim_many(url: str, times: int) -> list[float]:
    ledger = open_ledger(url)
    moments = []
    for _ in range(times):
        with ledger.write() as tx:
            moments.append(quotas.claim(tx, "v", "a", [EXPORTS]))
    ledger.close()
    return moments


def test_processes_that_claim_at_once_never_get_moments_too_close(ledger: Ledger, url: str) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        shares = list(pool.map(claim_many, [url] * 4, [25] * 4))
    moments = sorted(moment for share in shares for moment in share)
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert len(moments) == 100
    assert min(gaps) >= EXPORTS.interval - 1e-3
    with ledger.read() as tx:
        assert quotas.granted(tx, "v", "a", "exports") == 100


def test_next_free_tells_when_a_claim_would_be_due_and_claims_nothing(
    ledger: Ledger, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        assert quotas.next_free(tx, "v", "a", EXPORTS) == tx.now
        quotas.claim(tx, "v", "a", [EXPORTS])
        due = quotas.next_free(tx, "v", "a", EXPORTS)
        assert quotas.claim(tx, "v", "a", [EXPORTS]) == due
        for _ in range(12):
            assert quotas.next_free(tx, "v", "a", LOGINS) == tx.now
            quotas.claim(tx, "v", "a", [LOGINS])
    clock.step(3600)
    with ledger.read() as tx:
        assert quotas.next_free(tx, "v", "a", EXPORTS) == tx.now
        assert quotas.granted(tx, "v", "a", "exports") == 2


def test_a_clock_that_is_set_back_holds_nobody_longer_than_a_window(
    ledger: Ledger, clock: SteppedClock
) -> None:
    """Nothing was sent for as long as it was set back."""
    with ledger.write() as tx:
        quotas.claim(tx, "copyleaks", "default", [EXPORTS])
    clock.step(-3_600)
    with ledger.write() as tx:
        assert quotas.next_free(tx, "copyleaks", "default", EXPORTS) == tx.now
        first, second = (quotas.claim(tx, "copyleaks", "default", [EXPORTS]) for _ in range(2))
        assert first == tx.now + EXPORTS.window_seconds
        assert second == first + EXPORTS.interval


def test_a_cooldown_holds_for_every_claim_of_the_account_and_for_no_other(
    ledger: Ledger, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        quotas.cool_down(tx, "v", "a", 120, "HTTP 429")
        until = tx.now + 120
        assert quotas.cooldown(tx, "v", "a")[:2] == (until, "HTTP 429")
        first = quotas.claim(tx, "v", "a", [EXPORTS])
        assert quotas.claim(tx, "v", "a", [EXPORTS]) == first + EXPORTS.interval
        assert quotas.claim(tx, "v", "a", [LOGINS]) == until
        assert quotas.claim(tx, "v", "b", [EXPORTS]) == tx.now
    assert first == until
    clock.step(120)
    with ledger.read() as tx:
        assert quotas.cooldown(tx, "v", "a")[:2] == (0.0, "")


def test_a_shorter_cooldown_does_not_end_a_longer_one_or_change_its_reason(
    ledger: Ledger,
) -> None:
    with ledger.write() as tx:
        quotas.cool_down(tx, "v", "a", 900, "login refused")
        quotas.cool_down(tx, "v", "a", 5, "HTTP 429")
        assert quotas.cooldown(tx, "v", "a")[:2] == (tx.now + 900, "login refused")
        quotas.cool_down(tx, "v", "a", 1000, "HTTP 429")
        assert quotas.cooldown(tx, "v", "a")[:2] == (tx.now + 1000, "HTTP 429")
