"""The least that the same transfers cost: one asyncio script with a SQLite table."""

import asyncio
import json
import sys
import time
from pathlib import Path

from aiohttp import ClientSession

from export_pipeline_tests.benchmarks.sink import Sink, log_in, order, orders_of

ORDERS_AT_ONCE = 64
POLL_SECONDS = 0.05


async def transfer(vendor: dict[str, str], folder: Path, scans: Path) -> dict[str, float]:
    """Order every scan of the file and wait for all; seconds until the first and the last."""
    sink = Sink(folder)
    url = await sink.start()
    gate = asyncio.Semaphore(ORDERS_AT_ONCE)
    started = time.monotonic()
    first = 0.0
    wanted = list(orders_of(scans))
    async with ClientSession() as session:
        token = await log_in(session, vendor)

        async def one(scan: str, result: str) -> None:
            async with gate:
                await order(session, vendor, token, url, scan, result)

        async with asyncio.TaskGroup() as group:
            for scan, result in wanted:
                group.create_task(one(scan, result))
            while len(sink.done) < len(wanted):
                await asyncio.sleep(POLL_SECONDS)
                first = first or (time.monotonic() - started if sink.done else 0.0)
    return {"seconds": time.monotonic() - started, "first": first}


if __name__ == "__main__":
    addresses, where, listed = sys.argv[1:]
    print(json.dumps(asyncio.run(transfer(json.loads(addresses), Path(where), Path(listed)))))
