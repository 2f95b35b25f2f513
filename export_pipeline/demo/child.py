"""A server of the demo as a process of its own."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from export_pipeline.errors import ExportPipelineError

START_SECONDS = 60.0
STOP_SECONDS = 10.0
"""Dagster takes about one second to stop, the receiver as long as uploads are in flight."""
POLL_SECONDS = 0.05

Pause = Callable[[float], None]
"""Sleeps; raises KeyboardInterrupt once the demo is to end."""


class ServerFailed(ExportPipelineError):
    """A server of the demo did not start or ended; the text names its log."""


class Child:
    """A process that leads a session of its own, so that a terminal's Ctrl-C does not reach it.

    Args:
        name: what it is called, also its log.
        command: program and arguments.
        environment: all of it.
        logs: folder of the logs.
        ends_by: the signal that stops it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        logs: Path,
        ends_by: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        self._ends_by = ends_by
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  our own programs, no shell
                command,
                env=environment,
                cwd=logs.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def announcement(self, pause: Pause) -> dict[str, Any]:
        """The JSON object with which it says that it serves.

        Raises:
            ServerFailed: it ended, or said nothing for `START_SECONDS`.
        """
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            self.require_running()
            for line in self.log.read_text(errors="replace").splitlines(keepends=True):
                if line.startswith("{") and line.endswith("\n"):
                    found: dict[str, Any] = json.loads(line)
                    return found
            pause(POLL_SECONDS)
        raise ServerFailed(f"{self.name} did not start in {START_SECONDS:.0f} s: see {self.log}")

    def require_running(self) -> None:
        """Raise ServerFailed if it ended."""
        code = self._process.poll()
        if code is not None:
            raise ServerFailed(f"{self.name} ended with exit code {code}: see {self.log}")

    def stop(self) -> None:
        """Stop it, then what it started and left; returns when all is gone or killed."""
        self._process.send_signal(self._ends_by)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._signal_group(number)
            end = time.monotonic() + STOP_SECONDS
            while time.monotonic() < end:
                # Reaped first: a zombie counts as a member of its group.
                if self._process.poll() is not None and not self._signal_group(0):
                    return
                time.sleep(POLL_SECONDS)

    def _signal_group(self, number: int) -> bool:
        """Signal all of its group; False if nobody is left."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
            return True
        return False
