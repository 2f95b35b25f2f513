"""Signals that end the demo, noticed between its steps."""

import signal
import time
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NOTICED_WITHIN_SECONDS = 0.2


class Interrupts:
    """Notes Ctrl-C, SIGTERM and a closed terminal; a context manager for the main thread.

    A signal raises nothing by itself: it could come between the start of a child and its being
    noted, or while children are stopped, and leave them running. It is installed even where a
    shell had SIGINT ignored for a background job: children would inherit that, and Dagster's
    would then not stop at SIGTERM either (seen with 1.13.27).
    """

    def __init__(self) -> None:
        self._noted = False
        self._before: dict[signal.Signals, Any] = {}

    def pause(self, seconds: float) -> None:
        """Sleep.

        Raises:
            KeyboardInterrupt: a signal came, now or before.
        """
        end = time.monotonic() + seconds
        while not self._noted and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, NOTICED_WITHIN_SECONDS))
        if self._noted:
            raise KeyboardInterrupt

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        self._noted = True

    def __enter__(self) -> Self:
        """Begin to note signals."""
        self._before = {one: signal.signal(one, self._note) for one in SIGNALS}
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave signals as they were."""
        for one, handler in self._before.items():
            signal.signal(one, handler)
