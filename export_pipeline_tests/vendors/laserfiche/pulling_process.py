"""Another process that pulls what was ordered: its arguments are home, order and artifact."""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

from export_pipeline.ledger.database import sqlite_url
from export_pipeline.ledger.home import open_ledger
from export_pipeline.settings import Settings
from export_pipeline.vendors.laserfiche.exports import Laserfiche
from export_pipeline_tests.vendors import rows


async def main(home: Path, order_id: str, name: str) -> None:
    vendor = Laserfiche(Settings.from_env(os.environ, home), open_ledger(sqlite_url(home)))
    order = replace(rows.order("laserfiche", "101"), id=order_id)
    async with vendor.open(order, rows.artifact("image", name)) as opened:
        async for chunk in opened.chunks:
            sys.stdout.buffer.write(chunk)
    await vendor.aclose()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
