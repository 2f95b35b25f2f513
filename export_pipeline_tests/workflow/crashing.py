"""Processes that are killed at a named step of their work, and started again."""

import asyncio
import itertools
import multiprocessing
import os
import signal
import socket
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export_pipeline.ledger import inbox, registry
from export_pipeline.ledger.database import Ledger, Tx, database_clock
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.receiver.app import build
from export_pipeline.receiver.server import ReceiverServer
from export_pipeline.settings import Settings
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject
from export_pipeline.vendors.copyleaks.exports import Copyleaks
from export_pipeline.vendors.placement import Placement, Receipt
from export_pipeline.workflow.collect import collect
from export_pipeline.workflow.completion import read_completions
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.reconcile import reconcile
from export_pipeline.workflow.register import read_registrations
from export_pipeline.workflow.send import drain

TURN_SECONDS = 0.02
LEASES_PASS_SECONDS = 300.0
"""Each process lives this much later than the one before: the leases of the dead have ended."""
NO_DEADLINE = {"EXPORT_ORDER_DEADLINE": "1e9"}
"""By these jumps no order may come to its deadline."""
# A process is forked off a server that has everything imported: it starts in milliseconds.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload([__name__])


@dataclass
class Switch:
    """Kills this process at one moment, e.g. `before _settle`; notes the moments that it saw."""

    at: str | None = None
    seen: dict[str, None] = field(default_factory=dict)

    async def around(self, step: str, call: Awaitable[Any]) -> Any:
        """Do the step, unless this process dies before or after it."""
        self._reached(f"before {step}")
        done = await call
        self._reached(f"after {step}")
        return done

    def _reached(self, moment: str) -> None:
        self.seen[moment] = None
        if moment == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


class SwitchedLedger(Ledger):
    """A ledger whose transactions are steps, by the name of what they do."""

    def __init__(self, url: str, switch: Switch, later: float) -> None:
        super().__init__(url, lambda connection: database_clock(connection) + later)
        self._switch = switch

    async def apply(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        step = " ".join([work.__name__, *filter(None, [kwargs.get("topic")])])
        return await self._switch.around(step, super().apply(work, *args, **kwargs))


class SwitchedStore(LocalStore):
    """A store whose changes are steps."""

    def __init__(self, root: Path, switch: Switch) -> None:
        super().__init__(root)
        self._switch = switch

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        name = "an artifact" if "/data/" in key else key.rpartition("/")[2]
        put = super().put(key, chunks, content_type=content_type)
        return await self._switch.around(f"put {name}", put)

    async def copy(self, source: str, target: str) -> StoredObject:
        return await self._switch.around("copy", super().copy(source, target))

    async def delete(self, key: str) -> None:
        await self._switch.around("delete", super().delete(key))


class SwitchedCopyleaks(Copyleaks):
    """A vendor to which placing an order is a step."""

    def __init__(self, settings: Settings, ledger: Ledger, switch: Switch) -> None:
        super().__init__(settings, ledger)
        self._switch = switch

    async def place(self, placement: Placement) -> Receipt:
        return await self._switch.around("place", super().place(placement))


@dataclass(frozen=True)
class Work:
    """What a worker is to do, and at which moment it dies."""

    environment: dict[str, str]
    scans: Sequence[str]
    later: float
    die_at: str | None = None


def work(task: Work, seen: Any = None) -> None:
    """Register, send, collect and reconcile until the scans are settled."""
    switch = Switch(task.die_at)
    settings = Settings.from_env(task.environment)
    ledger = SwitchedLedger(settings.ledger_url, switch, task.later)
    vendor = SwitchedCopyleaks(settings, ledger, switch)
    addresses = Addresses(settings.receiver_url, settings.secrets)
    store = SwitchedStore(settings.home / "archive", switch)
    pipeline = Pipeline(settings, ledger, store, vendor, addresses)
    asyncio.run(_until_settled(pipeline, task.scans))
    ledger.close()
    if seen is not None:
        seen.put(list(switch.seen))


async def _until_settled(pipeline: Pipeline, scans: Sequence[str]) -> None:
    vendor, settings, ledger = pipeline.vendor, pipeline.settings, pipeline.ledger
    while not await ledger.look(are_settled, scans):
        await ledger.apply(read_registrations, vendor, settings, 100)
        await drain(pipeline, seconds=1)
        await read_completions(pipeline)
        await collect(pipeline, limit=10)
        await reconcile(pipeline)
        await pipeline.sleep(TURN_SECONDS)
    await vendor.aclose()


def are_settled(tx: Tx, scans: Sequence[str]) -> bool:
    """Whether every one of the scans is registered and settled, and every webhook read."""
    found = [one for one in registry.page(tx, None, registry.SETTLED) if one.scan in scans]
    unread = inbox.unhandled(tx, "copyleaks", inbox.ORDERS, 1)
    return len(found) == len(scans) and not unread


class Workers:
    """Starts one worker after the other, each later than the leases of the one before."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._later = itertools.count(0.0, LEASES_PASS_SECONDS)

    def run(self, scans: Sequence[str], die_at: str | None = None) -> bool:
        """Let a worker settle the scans; False if it died."""
        task = Work(self._environment, scans, next(self._later), die_at)
        process = self.start(task)
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL), f"the worker ended {process.exitcode}"
        return process.exitcode == 0

    def next(self, scans: Sequence[str]) -> Work:
        """The task of the next worker, for whoever kills it from outside."""
        return Work(self._environment, scans, next(self._later))

    def start(self, task: Work) -> Any:
        """Start a worker."""
        process = processes.Process(target=work, args=(task,))
        process.start()
        return process

    def record(self, scans: Sequence[str]) -> list[str]:
        """Let a worker settle the scans; return each moment at which one can be killed."""
        seen = processes.Queue()
        task = Work(self._environment, scans, next(self._later))
        process = processes.Process(target=work, args=(task, seen))
        process.start()
        moments = list(seen.get(timeout=60))
        process.join()
        return moments


def receive(listener: socket.socket, environment: dict[str, str], die_at: str | None) -> None:
    """Serve a receiver on a listening socket."""
    switch = Switch(die_at)
    settings = Settings.from_env(environment)
    ledger = SwitchedLedger(settings.ledger_url, switch, 0.0)
    store = SwitchedStore(settings.home / "archive", switch)
    app = build(ledger, store, Addresses(settings.receiver_url, settings.secrets))
    ReceiverServer(app, lambda: None).run(sockets=[listener])


class Receivers:
    """A receiver that is started again when it dies; callers find its address open all along."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._process: Any = None

    def start(self, die_at: str | None = None) -> None:
        """Start one, which dies at the moment that is named."""
        arguments = (self._listener, self._environment, die_at)
        self._process = processes.Process(target=receive, args=arguments)
        self._process.start()

    def died(self) -> bool:
        """Whether the one that runs was killed."""
        return self._process.exitcode == -signal.SIGKILL

    def kill(self) -> None:
        """Kill the one that runs."""
        self._process.kill()
        self._process.join()

    def close(self) -> None:
        """End for good."""
        self.kill()
        self._listener.close()


@contextmanager
def receivers(environment: dict[str, str]) -> Iterator[Receivers]:
    """Receivers at an address of their own; `environment` is pointed there."""
    made = Receivers(environment)
    environment["EXPORT_RECEIVER_URL"] = made.url
    made.start()
    try:
        yield made
    finally:
        made.close()
