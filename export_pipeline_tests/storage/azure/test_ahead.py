import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from export_pipeline.errors import AccessDenied, StoreError
from export_pipeline.storage.azure.ahead import REST_SECONDS, Ahead


class Source:
    """Gives 1, 2, 3..., each for 100 seconds of a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.given = 0
        self.error: Exception | None = None
        self.may_give = threading.Event()
        self.may_give.set()

    def fetch(self) -> tuple[int, float]:
        self.may_give.wait(10)
        self.given += 1
        if self.error:
            raise self.error
        return self.given, self.now + 100

    def ahead(self) -> Ahead[int]:
        return Ahead("the key", self.fetch, 50, lambda: self.now)


@pytest.fixture
def source() -> Source:
    return Source()


def get(ahead: Ahead[int], seconds: float) -> int:
    return asyncio.run(ahead.get(seconds))


def wait(ahead: Ahead[int], seconds: float) -> int:
    return ahead.wait(seconds)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("ask", [get, wait])
def test_one_is_used_as_long_as_it_lasts(source: Source, ask: Callable[..., int]) -> None:
    ahead = source.ahead()
    assert [ask(ahead, 10) for _ in range(5)] == [1] * 5
    assert source.given == 1


@pytest.mark.parametrize("ask", [get, wait])
def test_the_next_is_fetched_beside_the_use_of_the_one_that_ends_soon(
    source: Source, ask: Callable[..., int]
) -> None:
    ahead = source.ahead()
    assert ask(ahead, 10) == 1
    source.may_give.clear()
    source.now = 60
    assert ask(ahead, 10) == 1
    source.may_give.set()
    until(lambda: source.given == 2 and ask(ahead, 10) == 2)


@pytest.mark.parametrize("ask", [get, wait])
def test_one_that_does_not_last_is_replaced_before_it_is_used(
    source: Source, ask: Callable[..., int]
) -> None:
    ahead = source.ahead()
    assert ask(ahead, 10) == 1
    source.now = 95
    assert ask(ahead, 10) == 2


@pytest.mark.parametrize("ask", [get, wait])
def test_what_no_new_one_can_cover_is_an_error_and_not_asked_for_again_and_again(
    source: Source, ask: Callable[..., int]
) -> None:
    ahead = source.ahead()
    for _ in range(3):
        with pytest.raises(StoreError, match="the key ends before 101 seconds"):
            ask(ahead, 101)
    assert source.given == 1


@pytest.mark.parametrize("ask", [get, wait])
def test_a_failure_serves_all_until_it_has_rested(source: Source, ask: Callable[..., int]) -> None:
    ahead = source.ahead()
    source.error = AccessDenied("no")
    for _ in range(3):
        with pytest.raises(AccessDenied, match="no"):
            ask(ahead, 10)
    assert source.given == 1
    source.error = None
    source.now = REST_SECONDS
    assert ask(ahead, 10) == 2


def test_a_failed_renewal_is_not_felt_while_the_one_in_use_lasts(source: Source) -> None:
    ahead = source.ahead()
    assert wait(ahead, 10) == 1
    source.error = AccessDenied("no")
    source.now = 60
    assert wait(ahead, 10) == 1
    until(lambda: source.given == 2)
    assert wait(ahead, 10) == 1


def test_many_who_wait_at_once_cost_one_fetch(source: Source) -> None:
    ahead = source.ahead()
    source.may_give.clear()

    async def scenario() -> None:
        waiting = [asyncio.create_task(ahead.get(10)) for _ in range(50)]
        await asyncio.sleep(0.05)
        waiting.pop().cancel()
        source.may_give.set()
        assert await asyncio.gather(*waiting) == [1] * 49

    asyncio.run(scenario())
    assert source.given == 1
