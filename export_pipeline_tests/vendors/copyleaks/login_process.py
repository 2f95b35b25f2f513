"""A process that logs in when told to: `python -m` this, with the settings in the environment."""

import asyncio
import os
import sys

from export_pipeline.ledger.database import Ledger
from export_pipeline.settings import Settings
from export_pipeline.vendors.copyleaks.exports import Copyleaks


async def log_in() -> str:
    settings = Settings.from_env(os.environ)
    async with Copyleaks(settings, Ledger(settings.ledger_url)) as vendor:
        await vendor.prepare("default")
        return str(await vendor.client("default").login.expires_at())


if __name__ == "__main__":
    print("ready", flush=True)
    sys.stdin.readline()
    print(asyncio.run(log_in()), flush=True)
