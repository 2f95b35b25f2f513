"""HookBridge connected to its sandbox, with a ledger of its own."""

from collections.abc import Sequence
from typing import Any

import httpx

from export_pipeline.ledger.rows import Artifact, Order
from export_pipeline.sandbox import Sandbox
from export_pipeline.vendors.hookbridge.artifacts import FILE
from export_pipeline.vendors.hookbridge.exports import HookBridge
from export_pipeline.vendors.hookbridge.models import Export
from export_pipeline.vendors.placement import Placement
from export_pipeline_tests.vendors import rows
from export_pipeline_tests.vendors.bench import NOWHERE, SandboxBench

UNKNOWN_EXPORT = "01935abc-def0-7123-8567-890abcdef012"
BEYOND_AN_EXPORT_SECONDS = 8 * 24 * 3600


def environment(sandbox: Sandbox) -> dict[str, str]:
    addresses = sandbox.addresses
    return {
        "EXPORT_HOOKBRIDGE_API_URL": addresses["hookbridge"],
        "EXPORT_HOOKBRIDGE_KEY": addresses["hookbridge_key"],
        "EXPORT_HOOKBRIDGE_REQUESTS_PER_MINUTE": "120000",
    }


class HookBridgeBench(SandboxBench[HookBridge]):
    scans = ("2023-11-10", "2023-11-11")
    make = HookBridge
    environment = environment

    @property
    def key(self) -> str:
        return str(self.addresses["hookbridge_key"])

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
        return self.download(answer.headers["Location"])

    def made(self, *traits: str, age_seconds: float = 60, **filters: str) -> str:
        """The id of an export that somebody else made."""
        window = {"start_time": "2023-11-01T00:00:00Z", "end_time": "2023-11-02T00:00:00Z"}
        body = {"filters": {**window, **filters}, "traits": traits, "age_seconds": age_seconds}
        (export_id,) = self.control("POST", "/exports", [body]).json()["ids"]
        return str(export_id)

    def call(self, method: str, path: str) -> httpx.Response:
        """A call as any other client makes it."""
        return self.request(method, self.addresses["hookbridge"] + path, self.key)


def _scan_id(created: dict[str, Any]) -> str:
    shown = {"status": "pending", "created_at": "2023-11-14T22:13:20Z", **created}
    filters = Export.model_validate(shown).filters
    assert filters is not None
    return filters.scan_id
