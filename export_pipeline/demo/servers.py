"""The demo's servers: its archive's, if that needs one, the sandbox, the receiver, Dagster."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx

from export_pipeline.demo.archive import running_archive
from export_pipeline.demo.child import POLL_SECONDS, Child, Pause
from export_pipeline.demo.home import DemoHome, bare_environment
from export_pipeline.demo.ports import LOOPBACK, free_ports
from export_pipeline.demo.scans import Examples
from export_pipeline.demo.variables import sandbox_variables
from export_pipeline.home_keys import HOME_VARIABLE
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.sandbox import SandboxOptions, ScanSpec, sample_scans
from export_pipeline.scans import DEFAULT_ACCOUNT, ScanKey

VENDOR = "copyleaks"
DEFINITIONS = "export_pipeline.definitions"
PACE = SandboxOptions.at("fast")
SENSOR_SECONDS = 1
PATIENCE_SECONDS = 8
"""So the completion that never comes is looked for within the demo."""
CONTROL_SECONDS = 60.0
RUNS_END_SECONDS = 30.0
UNFINISHED_RUNS = """
{ runsOrError(filter: {statuses: [QUEUED, NOT_STARTED, STARTING, STARTED]})
  { ... on Runs { count } } }
"""


@dataclass(frozen=True)
class Servers:
    """The running servers.

    Args:
        ui_url: Dagster's web page.
        control_url: where the sandbox is told what to do.
        webhook: where the sandbox posts the scans' own webhooks, and with which headers.
        archive: URL of the store.
        examples: what the sandbox holds ready of the vendors that complete nothing by webhook.
        variables: point the project at the servers.
    """

    ui_url: str
    control_url: str
    webhook: tuple[str, Sequence[tuple[str, str]]]
    archive: str
    examples: Examples
    variables: Mapping[str, str]
    children: Sequence[Child]

    def complete_scans(self, count: int) -> list[ScanKey]:
        """Make sample scans at the vendor, whose completed webhooks it posts; return their keys."""
        url, headers = self.webhook
        specs: list[ScanSpec] = sample_scans(count, url, headers)
        ids = [spec.id for spec in specs]
        with httpx.Client(timeout=CONTROL_SECONDS, trust_env=False) as client:
            for path, body in (
                ("scans", [spec.to_json() for spec in specs]),
                ("scans/complete", {"ids": ids}),
            ):
                client.post(f"{self.control_url}/{path}", json=body).raise_for_status()
        return [ScanKey(VENDOR, DEFAULT_ACCOUNT, one) for one in ids]

    def wait_for_ui(self, pause: Pause) -> None:
        """Return once Dagster's page can be opened.

        Raises:
            ServerFailed: Dagster ended.
        """
        while not self.has_ui():
            self.require_running()
            pause(POLL_SECONDS)

    def has_ui(self) -> bool:
        """Whether Dagster's page can be opened."""
        return self._runs_at_work() is not None

    def wait_for_runs(self, pause: Pause) -> None:
        """Return once Dagster's runs ended: those that are stopped would be shown as failed.

        They linger for more work, so this takes seconds; `RUNS_END_SECONDS` at most.
        """
        end = time.monotonic() + RUNS_END_SECONDS
        while self._runs_at_work() and time.monotonic() < end:
            pause(POLL_SECONDS)

    def _runs_at_work(self) -> int | None:
        """How many runs are not finished; None if Dagster does not answer."""
        with suppress(httpx.TransportError), httpx.Client(trust_env=False) as client:
            answer = client.post(f"{self.ui_url}/graphql", json={"query": UNFINISHED_RUNS})
            if answer.is_success:
                return int(answer.json()["data"]["runsOrError"]["count"])
        return None

    def require_running(self) -> None:
        """Raise ServerFailed if one ended."""
        for child in self.children:
            child.require_running()


@contextmanager
def running_servers(home: DemoHome, pause: Pause) -> Iterator[Servers]:
    """Start all on free ports of loopback, and stop all at the end, whatever happened."""
    with ExitStack() as stack:

        def start(name: str, *module: str, **variables: str) -> Child:
            environment = bare_environment() | variables
            command = [sys.executable, "-m", *module]
            child = Child(name, command, environment=environment, logs=home.logs)
            stack.callback(child.stop)
            return child

        archive = stack.enter_context(running_archive(home, pause))
        sandbox = start("sandbox", "export_pipeline.sandbox", "--pace", PACE.copyleaks.pace)
        receiver = start(
            "receiver",
            *("export_pipeline.cli", "receiver", "--host", LOOPBACK, "--port", "0", "--json"),
            **{HOME_VARIABLE: str(home.path), **archive.variables},
        )
        told = sandbox.announcement(pause)
        receiver_url = receiver.announcement(pause)["url"]
        variables = {**_variables(home, told, receiver_url), **archive.variables}
        home.write_variables(variables)
        port = str(*free_ports(1))
        dagster = start(
            "dagster",
            *("dagster", "dev", "-h", LOOPBACK, "-p", port, "-m", DEFINITIONS),
            **variables,
        )
        target = Addresses(receiver_url, home.settings.secrets).scan_webhook(
            VENDOR, DEFAULT_ACCOUNT
        )
        yield Servers(
            ui_url=f"http://{LOOPBACK}:{port}",
            control_url=told["copyleaks_control"],
            webhook=(target.url, target.headers),
            archive=archive.url,
            examples=told["examples"],
            variables=variables,
            children=[*archive.children, sandbox, receiver, dagster],
        )


def _variables(home: DemoHome, told: Mapping[str, Any], receiver_url: str) -> dict[str, str]:
    return {
        HOME_VARIABLE: str(home.path),
        "DAGSTER_HOME": str(home.dagster),
        "EXPORT_RECEIVER_URL": receiver_url,
        **sandbox_variables(told, PACE),
        "EXPORT_SENSOR_SECONDS": str(SENSOR_SECONDS),
        "EXPORT_ORDER_PATIENCE": str(PATIENCE_SECONDS),
        # At a full hour it would bring in more scans than were asked for.
        "EXPORT_CLOUDCONVERT_DISCOVER": "none",
    }
