"""Processes of a benchmark: started, measured, ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil  # type: ignore[import-untyped]

PYTHON = sys.executable
POLL_SECONDS = 0.02
GRACE_SECONDS = 20.0


@dataclass(frozen=True)
class Usage:
    """What a process used until its end, its children's CPU included."""

    code: int
    cpu_seconds: float
    peak_mb: float


class Process:
    """A Python module run in a process of its own; leaving the context ends it."""

    def __init__(
        self, arguments: Sequence[str], env: Mapping[str, str], folder: Path, log: Path
    ) -> None:
        self._name = " ".join(arguments)
        self._log, self._said = log, log.with_suffix(".out")
        # Not pipes: nobody reads them all the time, and a full one blocks its writer.
        with log.open("wb") as errors, self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [PYTHON, "-m", *arguments],
                cwd=folder,
                env={**os.environ, **env},
                stdout=said,
                stderr=errors,
                # A job of a shell ignores SIGINT, and `dagster dev` then does not stop.
                preexec_fn=_heed_interrupts,  # noqa: PLW1509  no thread is started before
            )
        self._used: Usage | None = None

    def first_line(self) -> str:
        """The first line that it writes to stdout."""
        while "\n" not in (said := self._said.read_text()):
            if not self.is_alive:
                raise RuntimeError(f"{self._name} said nothing:\n{self._log.read_text()}")
            time.sleep(POLL_SECONDS)
        return said.partition("\n")[0]

    def cpu_seconds(self) -> float:
        """CPU seconds so far, of the process and everything below it, dead or alive."""
        top = psutil.Process(self._process.pid)
        return sum(_cpu(one) for one in [top, *top.children(recursive=True)])

    def peak_mb(self) -> float:
        """The largest peak resident size of a process below this one that is alive now."""
        below = psutil.Process(self._process.pid).children(recursive=True)
        return max((_peak_mb(one.pid) for one in below), default=0.0)

    def end(self, number: int = signal.SIGTERM) -> Usage:
        """Ask it to end, and wait until nothing that it started runs on.

        Dagster's runs outlive it, and would write into a folder that is being removed.
        """
        if self._used is None:
            below = psutil.Process(self._process.pid).children(recursive=True)
            self._process.send_signal(number)
            self.wait()
            _end(below)
        return self.wait()

    def wait(self) -> Usage:
        """Wait for its end."""
        if self._used is None:
            _, status, used = os.wait4(self._process.pid, 0)
            self._process.returncode = os.waitstatus_to_exitcode(status)
            self._used = Usage(
                self._process.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
            )
        return self._used

    def finish(self) -> Usage:
        """Wait for its end.

        Raises:
            RuntimeError: it failed; with its log.
        """
        used = self.wait()
        if used.code != 0:
            raise RuntimeError(f"{self._name} failed:\n{self._log.read_text()[-4000:]}")
        return used

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._used is None and psutil.Process(self._process.pid).status() != "zombie"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(processes: Sequence[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=GRACE_SECONDS)
    for one in alive:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(alive)


def _cpu(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(used.user + used.system + used.children_user + used.children_system)


def _peak_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    found = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0].split()[1]) / 1024 if found else 0.0
