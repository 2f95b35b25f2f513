"""What a large object costs in memory, measured in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping

LARGE_MEGABYTES = 200
_SCRIPT = """
import asyncio, json, sys
from pathlib import Path
from export_pipeline.storage.open import open_store
store, large = open_store(sys.argv[1], json.loads(sys.argv[2])), int(sys.argv[3])
async def stream(pieces):
    for number in range(pieces):
        yield number.to_bytes(4, "big") * (1 << 18)
async def write(key, pieces):
    await store.put(key, stream(pieces))
async def read():
    return sum([len(chunk) async for chunk in store.open("large")])
def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
asyncio.run(write("warm", 1))
before = peak()
asyncio.run(write("large", large))
assert asyncio.run(read()) == large << 20
print((peak() - before) // 1024)
"""


def megabytes_needed(url: str, variables: Mapping[str, str], large: int = LARGE_MEGABYTES) -> int:
    """Write and read an object of `large` megabytes; return by how many the memory's peak rose.

    By the process's own high-water mark: `ru_maxrss` begins with that of whoever started it.
    """
    command = [sys.executable, "-c", _SCRIPT, url, json.dumps(variables), str(large)]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(told.stdout)
