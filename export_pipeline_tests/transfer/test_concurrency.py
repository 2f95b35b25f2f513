import asyncio
from collections.abc import AsyncIterator

import pytest

from export_pipeline.transfer.concurrency import all_of, concurrently


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
