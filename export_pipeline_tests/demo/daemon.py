"""A real `dagster dev` on a demo's home, which can be killed with everything that it started."""

import itertools
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import dagster as dg

from export_pipeline.demo.child import POLL_SECONDS, Child
from export_pipeline.demo.home import DemoHome, bare_environment
from export_pipeline.demo.ports import LOOPBACK, free_ports
from export_pipeline_tests.demo.command import left_running
from export_pipeline_tests.servers.ports import held

# By name: it changes the process that loads it.
DEFINITIONS = "export_pipeline_tests.demo.short_leases"
DEATH_SECONDS = 60.0
# Dagster looks after runs that never came up each 15 s, and gives them 60.
SLOW = "start_timeout_seconds: 60, poll_interval_seconds: 15"
QUICK = "start_timeout_seconds: 20, poll_interval_seconds: 2"


class Daemon:
    """Dagster's daemon, web page, code server and runs, in a folder where nothing else works."""

    def __init__(self, home: DemoHome, environment: Mapping[str, str]) -> None:
        self._folder = home.dagster
        # Not `logs`, which Dagster's telemetry empties.
        self._logs = home.dagster / "output"
        self._logs.mkdir()
        self._environment = {**bare_environment(), **environment, "DAGSTER_HOME": str(home.dagster)}
        self._numbers = itertools.count(1)
        self._ports = ExitStack()
        config = home.dagster / "dagster.yaml"
        assert SLOW in config.read_text()
        config.write_text(config.read_text().replace(SLOW, QUICK))
        self._child: Child | None = None

    def start(self) -> None:
        """Start it."""
        (port,) = free_ports(1)
        self._ports.enter_context(held(port))
        target = ["-p", str(port), "-m", DEFINITIONS]
        self._child = Child(
            f"dagster-{next(self._numbers)}",
            [sys.executable, "-m", "dagster", "dev", "-h", LOOPBACK, *target],
            environment=self._environment,
            logs=self._logs,
        )

    def kill(self) -> None:
        """Kill all of it at once; returns when nothing is left."""
        os.killpg(self._child._process.pid, signal.SIGKILL)
        self._child._process.wait()
        end = time.monotonic() + DEATH_SECONDS
        while left := left_running(self._folder):
            assert time.monotonic() < end, left
            time.sleep(POLL_SECONDS)

    def require_running(self) -> None:
        """Raise ServerFailed if it ended by itself."""
        self._child.require_running()

    def stop(self) -> None:
        """Stop it as a user does."""
        if self._child is not None:
            self._child.stop()
        self._ports.close()

    def runs(self, *statuses: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
        """Dagster's runs in one of these states."""
        with self.instance() as instance:
            return list(instance.get_runs(dg.RunsFilter(statuses=list(statuses))))

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """What Dagster has stored."""
        with dg.DagsterInstance.from_config(str(self._folder)) as instance:
            yield instance
