"""Bounded concurrency that keeps the order of its input."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def concurrently(
    function: Callable[[Item], Coroutine[Any, Any, Result]], items: AsyncIterable[Item], limit: int
) -> AsyncIterator[Result]:
    """Yield `function` of each item in order of the items, at most `limit` at once.

    The first error ends it; calls still running are then cancelled and waited for.
    """
    running: deque[asyncio.Task[Result]] = deque()
    try:
        async for item in items:
            running.append(asyncio.create_task(function(item)))
            if len(running) >= limit:
                yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        await _stop(running)


async def _stop(tasks: deque[asyncio.Task[Result]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def all_of(*calls: Awaitable[Result]) -> None:
    """Wait for every call to end, then raise the first error in order of the arguments."""
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
