"""HookBridge connected to its sandbox, with a ledger of its own."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from export_pipeline.ledger.database import sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline.ledger.rows import Artifact, Order
from export_pipeline.sandbox import Sandbox, SteppedClock
from export_pipeline.settings import Settings
from export_pipeline.storage.store import UploadTarget
from export_pipeline.vendors.hookbridge.artifacts import FILE
from export_pipeline.vendors.hookbridge.exports import HookBridge
from export_pipeline.vendors.hookbridge.models import Export
from export_pipeline.vendors.http import make_client
from export_pipeline.vendors.vendor import Placement
from export_pipeline_tests.vendors import rows
from export_pipeline_tests.vendors.transport import Interposed, Planned

UNKNOWN_EXPORT = "01935abc-def0-7123-8567-890abcdef012"
BEYOND_AN_EXPORT_SECONDS = 8 * 24 * 3600
NOWHERE = UploadTarget("POST", "http://127.0.0.1:9/completed")


def environment(sandbox: Sandbox) -> dict[str, str]:
    addresses = sandbox.addresses
    return {
        "EXPORT_HOOKBRIDGE_API_URL": addresses["hookbridge"],
        "EXPORT_HOOKBRIDGE_KEY": addresses["hookbridge_key"],
        "EXPORT_HOOKBRIDGE_REQUESTS_PER_MINUTE": "120000",
    }


async def _hurry(seconds: float) -> None:
    await asyncio.sleep(min(seconds, 0.01))


class HookBridgeBench:
    scans = ("2023-11-10", "2023-11-11")

    def __init__(self, home: Path, sandbox: Sandbox, clock: SteppedClock) -> None:
        self.planned: deque[Planned] = deque()
        self.sandbox = sandbox
        self.clock = clock
        self.settings = Settings.from_env(environment(sandbox), home)
        self.ledger = make_ledger(sqlite_url(home))
        self.vendor = self.make_vendor()

    def make_vendor(self, **variables: str) -> HookBridge:
        """The vendor with variables beside those of the sandbox."""
        given = {**self.settings.vendor_variables, **variables}
        settings = self.settings.model_copy(update={"vendor_variables": given})
        return HookBridge(
            settings, self.ledger, http=self._http, clock=self.clock.now, sleep=_hurry
        )

    @property
    def key(self) -> str:
        return str(self.sandbox.addresses["hookbridge_key"])

    @property
    def secrets(self) -> Sequence[str]:
        return (self.key, "X-Amz-Signature", "AKIASANDBOX")

    def placement(
        self, scan_id: str = scans[0], *, at_vendor: bool = True, **details: Any
    ) -> Placement:
        # Windows of any time are there, so `at_vendor` has nothing to make.
        assert at_vendor or scan_id not in self.scans
        return Placement(
            rows.order("hookbridge", scan_id, queued_at=self.clock.now()),
            rows.scan("hookbridge", scan_id, **details),
            {},
            {FILE.name: ""},
            {FILE.name: FILE.kind},
            NOWHERE,
        )

    def lacking(self) -> Placement:
        return self.placement(UNKNOWN_EXPORT, at_vendor=False)

    def failing(self) -> Placement:
        self.faults(create=["fails"])
        return self.placement()

    def unending(self) -> Placement:
        self.faults(create=["never_ends"])
        return self.placement()

    def arrived(self) -> list[tuple[str, str]]:
        return [(_scan_id(one), one["id"]) for one in self.stats()["created"]]

    def lose_answer(self) -> None:
        self.faults(create=["drop"])

    def end(self) -> None:
        self.clock.advance(5)

    def expire(self) -> None:
        self.clock.advance(BEYOND_AN_EXPORT_SECONDS)

    def break_file(self) -> None:
        self.faults(file=["cut"])

    def kill_links(self) -> None:
        self.faults(file=["dead"])

    def whole_file(self, order: Order, _: Artifact) -> bytes:
        answer = self.call("GET", f"/v1/exports/{order.vendor_order}/download")
        return httpx.get(answer.headers["Location"], trust_env=False).content

    def made(self, *traits: str, age_seconds: float = 60, **filters: str) -> str:
        """The id of an export that somebody else made."""
        window = {"start_time": "2023-11-01T00:00:00Z", "end_time": "2023-11-02T00:00:00Z"}
        body = {"filters": {**window, **filters}, "traits": traits, "age_seconds": age_seconds}
        (export_id,) = self.control("POST", "/exports", [body]).json()["ids"]
        return str(export_id)

    def faults(self, **faults: list[str]) -> None:
        self.control("POST", "/faults", faults)

    def stats(self) -> dict[str, Any]:
        return self.sandbox.stats("hookbridge")

    def call(self, method: str, path: str) -> httpx.Response:
        """A call as any other client makes it."""
        url = self.sandbox.addresses["hookbridge"] + path
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.request(method, url, headers=headers, trust_env=False)

    def control(self, method: str, path: str, body: Any = None) -> httpx.Response:
        url = self.sandbox.addresses["hookbridge_control"] + path
        answer = httpx.request(method, url, json=body, trust_env=False)
        assert answer.is_success, answer.text
        return answer

    async def close(self) -> None:
        await self.vendor.aclose()

    def _http(self) -> httpx.AsyncClient:
        return make_client(Interposed(self.planned))


def again(placement: Placement, **changes: Any) -> Placement:
    """The placement with another order, e.g. of another attempt."""
    return replace(placement, order=replace(placement.order, **changes))


def _scan_id(created: dict[str, Any]) -> str:
    shown = {"status": "pending", "created_at": "2023-11-14T22:13:20Z", **created}
    filters = Export.model_validate(shown).filters
    assert filters is not None
    return filters.scan_id
