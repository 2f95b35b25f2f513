"""Many calls at once: so many, in order, in an event loop made for them."""

import asyncio
import gc
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import uvloop

YOUNG_OBJECTS = 10_000
"""New objects between two looks of the garbage collector while a batch runs (Python's own: 700)."""
WAITING = 16
"""Results that may wait for a slow one before them, in times the limit."""

Item = TypeVar("Item")
Result = TypeVar("Result")


async def concurrently(
    function: Callable[[Item], Coroutine[Any, Any, Result]], items: AsyncIterable[Item], limit: int
) -> AsyncGenerator[Result, None]:
    """Yield `function` of each item in order of the items, at most `limit` at once.

    The next item is taken while so many run. A slow one keeps the results of those after it
    waiting, and not their calls. The first error ends it; calls still running are then cancelled
    and waited for.
    """
    begun: deque[asyncio.Task[Result]] = deque()
    free = asyncio.Semaphore(limit)
    try:
        async for item in items:
            await free.acquire()
            while begun and (begun[0].done() or len(begun) >= WAITING * limit):
                yield await begun.popleft()
            begun.append(asyncio.create_task(function(item)))
            begun[-1].add_done_callback(lambda _: free.release())
            # Held by its task alone, so that its memory is free as soon as it is done.
            del item
        while begun:
            yield await begun.popleft()
    finally:
        await _stop(begun)


async def _stop(tasks: deque[asyncio.Task[Result]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def all_of(*calls: Awaitable[Result]) -> None:
    """Wait for every call to end, then raise the first error in order of the arguments."""
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def run_batch(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a batch's work in an event loop of its own, on a seventh less CPU than `asyncio.run`.

    The garbage collector leaves alone what is there before, such as all of Dagster, and looks
    less often at what is new: else it takes a tenth of the time of pulling small files.
    """
    young, *older = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(max(young, YOUNG_OBJECTS), *older)
    try:
        return uvloop.run(work)
    finally:
        gc.set_threshold(young, *older)
        gc.unfreeze()
