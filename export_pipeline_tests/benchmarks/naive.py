"""What is usually written: an asset partitioned by scan, so that each scan is a run."""

import asyncio
import json
import os
from pathlib import Path

import dagster as dg
from aiohttp import ClientSession

from export_pipeline_tests.benchmarks.sink import log_in, order, orders_of

VENDOR = "BENCHMARK_VENDOR"
SINK = "BENCHMARK_SINK"
SCANS = "BENCHMARK_SCANS"
POLL_SECONDS = 0.5
PARTITIONS = "scans"


@dg.asset(partitions_def=dg.DynamicPartitionsDefinition(name=PARTITIONS))
def export(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Orders one scan's export and waits for it."""
    results = dict(orders_of(Path(os.environ[SCANS])))
    scan = context.partition_key
    asyncio.run(_export(json.loads(os.environ[VENDOR]), os.environ[SINK], scan, results[scan]))
    return dg.MaterializeResult(metadata={"scan": scan})


async def _export(vendor: dict[str, str], sink: str, scan: str, result: str) -> None:
    async with ClientSession() as session:
        await order(session, vendor, await log_in(session, vendor), sink, scan, result)
        while True:
            async with session.get(f"{sink}/done/{scan}") as answer:
                if answer.ok:
                    return
            await asyncio.sleep(POLL_SECONDS)


defs = dg.Definitions(assets=[export], executor=dg.in_process_executor)
