import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from export_pipeline.concurrency import WAITING, YOUNG_OBJECTS, all_of, concurrently, run_batch


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


def test_results_come_in_order_of_the_items_and_never_more_run_than_the_limit() -> None:
    running: set[int] = set()
    most: list[int] = []

    async def slower_first(number: int) -> int:
        running.add(number)
        most.append(len(running))
        for _ in range(20 - number):
            await asyncio.sleep(0)
        running.remove(number)
        return number

    async def scenario() -> list[int]:
        return [result async for result in concurrently(slower_first, numbers(20), 4)]

    assert asyncio.run(scenario()) == list(range(20))
    assert max(most) == 4


def test_the_first_error_ends_it_and_nothing_goes_on_running() -> None:
    cancelled: list[int] = []

    async def fails_at_two(number: int) -> int:
        if number == 2:
            raise ValueError("two")
        try:
            await asyncio.sleep(0 if number < 2 else 3600)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        return number

    async def scenario() -> None:
        with pytest.raises(ValueError, match="two"):
            async for _ in concurrently(fails_at_two, numbers(20), 4):
                pass
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())
    assert 3 in cancelled


def test_all_calls_end_before_the_first_error_is_raised() -> None:
    ended: list[str] = []

    async def slow() -> None:
        await asyncio.sleep(0)
        ended.append("slow")

    async def broken(text: str) -> None:
        raise ValueError(text)

    with pytest.raises(ValueError, match="first"):
        asyncio.run(all_of(broken("first"), slow(), broken("second")))
    assert ended == ["slow"]


def test_a_slow_one_does_not_keep_those_after_it_from_being_called() -> None:
    done: list[int] = []

    async def scenario() -> list[int]:
        others = asyncio.Event()

        async def first_waits_for_the_others(number: int) -> int:
            if number == 0:
                await others.wait()
            done.append(number)
            if len(done) == 19:
                others.set()
            return number

        return [result async for result in concurrently(first_waits_for_the_others, numbers(20), 4)]

    assert asyncio.run(scenario()) == list(range(20))
    assert done == [*range(1, 20), 0]


def test_no_more_results_are_held_for_a_slow_one_than_some_times_the_limit() -> None:
    async def scenario() -> int:
        most = 0
        slow = asyncio.Event()

        async def first_is_slow(number: int) -> int:
            nonlocal most
            most = number
            if number == 0:
                await slow.wait()
            return number

        async def first_result() -> int:
            return await anext(results)

        results = concurrently(first_is_slow, numbers(1_000), 2)
        waiting = asyncio.create_task(first_result())
        for _ in range(1_000):
            await asyncio.sleep(0)
        slow.set()
        await waiting
        await results.aclose()
        return most

    assert asyncio.run(scenario()) == 2 * WAITING - 1


def test_a_batch_runs_with_a_patient_garbage_collector_that_is_then_as_before() -> None:
    before = gc.get_threshold(), gc.get_freeze_count()

    async def work() -> tuple[int, int]:
        return gc.get_threshold()[0], gc.get_freeze_count()

    young, frozen = run_batch(work())
    assert young == YOUNG_OBJECTS
    assert frozen > before[1]
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


def test_an_error_of_a_batch_is_its_callers_and_leaves_the_garbage_collector_as_before() -> None:
    before = gc.get_threshold(), gc.get_freeze_count()

    async def broken() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run_batch(broken())
    assert (gc.get_threshold(), gc.get_freeze_count()) == before
