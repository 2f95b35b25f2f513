"""Work that waits for a clock which stands still."""

import threading
from collections.abc import Callable
from typing import TypeVar

from export_pipeline.sandbox import SteppedClock

T = TypeVar("T")


def stepped(clock: SteppedClock, seconds: float, work: Callable[[], T]) -> T:
    """What `work` returns: the clock is stepped once the sandbox waits for it."""
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    while not clock.sleepers():
        thread.join(0.01)
        assert thread.is_alive(), "nothing waited"
    clock.advance(seconds)
    thread.join()
    (one,) = found
    return one
