"""Work that goes on after its request was answered."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Background:
    """Tasks that are kept alive until they end or the sandbox stops."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run `work` beside everything else; an error in it reaches asyncio's handler."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Cancel whatever still runs and wait for its end."""
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
