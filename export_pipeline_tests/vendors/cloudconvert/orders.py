"""Orders of a bench: what they ask of the vendor, and what they made there."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from export_pipeline.vendors.cloudconvert.models import place_of
from export_pipeline.vendors.placement import Loan
from export_pipeline_tests.vendors.cloudconvert.bench import CloudConvertBench

S3 = {
    "bucket": "b",
    "region": "eu",
    "access_key_id": "AK",
    "secret_access_key": "a-lent-secret-key",
}


def run(bench: CloudConvertBench, work: Callable[[], Awaitable[Any]]) -> Any:
    async def scenario() -> Any:
        try:
            return await work()
        finally:
            await bench.close()

    return asyncio.run(scenario())


def sent(bench: CloudConvertBench, made: str | None) -> dict[str, Any]:
    """What the task of an order was told."""
    what, task, _ = place_of(made or "")
    payload: dict[str, Any] = bench.call("GET", f"/v2/{what}/{task}?include=payload").json()
    return dict(payload["data"]["payload"])


def created(bench: CloudConvertBench) -> list[str]:
    return [one["id"] for one in bench.stats()["created"]]


def lending(bench: CloudConvertBench, scan: str, **arguments: Any) -> Any:
    def lend(name: str) -> Loan:
        key = f".incoming/the-order/{name}"
        return Loan(key, "export/s3", {**S3, "key": f"prefix/{key}", **arguments})

    return replace(bench.placement(scan), lend=lend)


def several(bench: CloudConvertBench) -> dict[str, Any]:
    """A finished job of two tasks with a file each."""
    tasks = {
        name: {"operation": "import/base64", "file": "dGV4dA==", "filename": f"{name}.txt"}
        for name in ("a", "b")
    }
    job: dict[str, Any] = bench.call("POST", "/v2/jobs", {"tasks": tasks}).json()["data"]
    bench.end()
    return job
