"""A backfill of all assets in a real `dagster dev`."""

import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx

from export_pipeline_tests.benchmarks.home import Home, until
from export_pipeline_tests.benchmarks.processes import Process

_MUTATION = """mutation($b: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $b) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries {
  loadStatus locationOrLoadError { __typename } } } } }"""


@dataclass
class Backfill:
    """A backfill that was launched."""

    place: Home
    dagster: Process
    began: float
    cpu_before: float
    peak_mb: float = 0.0

    def cpu_seconds(self) -> float:
        """CPU since the launch: webserver, daemon, code server, runs, receiver."""
        return _cpu(self.place, self.dagster) - self.cpu_before

    def look(self) -> None:
        """Note the largest process so far: each run is one, and they end by themselves."""
        self.peak_mb = max(self.peak_mb, self.dagster.peak_mb())


@contextmanager
def launch(
    place: Home, vendor: str, assets: Sequence[str], keys: Sequence[str]
) -> Iterator[Backfill]:
    """Start `dagster dev`, and launch a backfill of these assets over these partitions."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}/graphql"
    target = ["-m", "export_pipeline.definitions", "-h", "127.0.0.1", "-p", str(port)]
    with place.start("dagster", "dev", *target) as dagster:
        until(lambda: _is_loaded(url))
        cpu = _cpu(place, dagster)
        began = time.time()
        selection = [{"path": [vendor, name]} for name in assets]
        params = {"assetSelection": selection, "partitionNames": list(keys)}
        told = _ask(url, _MUTATION, {"b": params})["launchPartitionBackfill"]
        if told["__typename"] != "LaunchBackfillSuccess":
            raise RuntimeError(f"the backfill was not launched: {told}")
        try:
            yield Backfill(place, dagster, began, cpu)
        finally:
            dagster.end(signal.SIGINT)


def _cpu(place: Home, dagster: Process) -> float:
    return dagster.cpu_seconds() + place.receiver.cpu_seconds()


def _is_loaded(url: str) -> bool:
    with suppress(httpx.TransportError):
        entries = _ask(url, _LOCATIONS)["workspaceOrError"]["locationEntries"]
        return bool(entries) and all(one["loadStatus"] == "LOADED" for one in entries)
    return False


def _ask(url: str, query: str, variables: dict[str, object] | None = None) -> dict[str, Any]:
    body = {"query": query, "variables": variables or {}}
    return dict(httpx.post(url, json=body, timeout=120).raise_for_status().json()["data"])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
