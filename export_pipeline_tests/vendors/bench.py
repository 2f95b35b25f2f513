"""A vendor connected to its sandbox, with a ledger of its own: what all benches share."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import httpx

from export_pipeline.ledger.database import Ledger, sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline.sandbox import Sandbox, SandboxOptions, SteppedClock
from export_pipeline.settings import Settings
from export_pipeline.storage.store import UploadTarget
from export_pipeline.vendors.http import make_client
from export_pipeline.vendors.placement import Placement
from export_pipeline.vendors.vendor import Vendor
from export_pipeline_tests.vendors.transport import Interposed, Planned

NOWHERE = UploadTarget("POST", "http://127.0.0.1:9/completed")

AnyVendor = TypeVar("AnyVendor", bound=Vendor)


class SandboxBench(Generic[AnyVendor]):
    """Base of a vendor's bench.

    `make` makes the vendor, `environment` tells the variables with which it finds the sandbox;
    `login_path` is part of the path of its logins, whose answers are planned apart.
    """

    make: ClassVar[Callable[..., Any]]
    environment: ClassVar[Callable[[Sandbox], dict[str, str]]]
    login_path = ""

    def __init__(self, home: Path, sandbox: Sandbox, clock: SteppedClock) -> None:
        self.planned: deque[Planned] = deque()
        self.planned_logins: deque[Planned] = deque()
        self.sandbox = sandbox
        self.clock = clock
        self.folder = home
        self.settings = Settings.from_env(type(self).environment(sandbox), home)
        self.ledger = self.open_ledger()
        self.vendor = self.make_vendor()
        self._raw = httpx.Client(trust_env=False, timeout=60)

    def open_ledger(self) -> Ledger:
        return make_ledger(sqlite_url(self.folder))

    def make_vendor(self, **variables: str) -> AnyVendor:
        """The vendor with variables in place of those of the sandbox; "" unsets one."""
        given = {**self.settings.vendor_variables, **variables}
        settings = self.settings.model_copy(update={"vendor_variables": given})
        made: AnyVendor = type(self).make(
            settings, self.ledger, http=self._http, clock=self.clock.now, sleep=self.sleep
        )
        return made

    async def sleep(self, seconds: float) -> None:
        """Hurry: nothing here waits for a limit."""
        await asyncio.sleep(min(seconds, 0.01))

    @property
    def addresses(self) -> Mapping[str, Any]:
        return self.sandbox.addresses

    def faults(self, **faults: list[str]) -> None:
        self.control("POST", "/faults", faults)

    def options(self, **changes: Any) -> None:
        self.control("POST", "/options", changes)

    def stats(self) -> dict[str, Any]:
        return self.sandbox.stats(self.vendor.name)

    def control(self, method: str, path: str, body: Any = None) -> httpx.Response:
        url = self.addresses[f"{self.vendor.name}_control"] + path
        answer = self._raw.request(method, url, json=body)
        assert answer.is_success, answer.text
        return answer

    def request(self, method: str, url: str, bearer: str, body: Any = None) -> httpx.Response:
        """A call as any other client makes it."""
        headers = {"Authorization": f"Bearer {bearer}"}
        return self._raw.request(method, url, headers=headers, json=body)

    def download(self, url: str) -> bytes:
        return self._raw.get(url).content

    async def close(self) -> None:
        """Close what the running event loop opened."""
        await self.vendor.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()
        self.ledger.close()

    def _http(self) -> httpx.AsyncClient:
        logins = self.planned_logins if self.login_path else None
        return make_client(Interposed(self.planned, logins=logins, login_path=self.login_path))


AnyBench = TypeVar("AnyBench", bound=SandboxBench[Any])


@contextmanager
def connected(
    kind: Callable[[Path, Sandbox, SteppedClock], AnyBench],
    home: Path,
    options: SandboxOptions | None = None,
    clock: SteppedClock | None = None,
) -> Iterator[AnyBench]:
    """A bench of that kind and its running sandbox, on one clock."""
    clock = clock or SteppedClock()
    with Sandbox(options, clock) as sandbox, kind(home, sandbox, clock) as bench:
        yield bench


def again(placement: Placement, **changes: Any) -> Placement:
    """The placement with another order, e.g. of another attempt."""
    return replace(placement, order=replace(placement.order, **changes))
