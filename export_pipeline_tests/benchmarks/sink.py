"""What a plain script receives exports with: a server that writes files and a SQLite table."""

import asyncio
import hashlib
import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from aiohttp import ClientSession, web

from export_pipeline.sandbox.copyleaks.orders import SINGLE_ARTIFACTS

MAX_BYTES = 64 * 1024 * 1024


class Sink:
    """Takes uploads and completion webhooks; `done` tells whose exports ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: set[str] = set()
        self.app = web.Application(client_max_size=MAX_BYTES)
        self.app.router.add_put("/files/{scan}/{name}", self._take)
        self.app.router.add_post("/done/{scan}", self._complete)
        self.app.router.add_get("/done/{scan}", self._tell)
        self._table = sqlite3.connect(folder / "table.sqlite")
        self._table.execute("PRAGMA journal_mode=WAL")
        self._table.execute("CREATE TABLE files (scan, name, size, sha256)")

    async def start(self) -> str:
        """Serve on a free port; return the base URL."""
        runner = web.AppRunner(self.app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def _take(self, request: web.Request) -> web.Response:
        scan, name = request.match_info["scan"], request.match_info["name"]
        body = await request.read()
        folder = self.folder / "files" / scan
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
        row = (scan, name, len(body), hashlib.sha256(body).hexdigest())
        self._table.execute("INSERT INTO files VALUES (?, ?, ?, ?)", row)
        return web.Response(status=201)

    async def _complete(self, request: web.Request) -> web.Response:
        await request.read()
        self._table.commit()
        self.done.add(request.match_info["scan"])
        return web.Response()

    async def _tell(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if request.match_info["scan"] in self.done else 404)


async def order(
    session: ClientSession, vendor: dict[str, str], token: str, sink: str, scan: str, result: str
) -> None:
    """Order everything of a scan with one result."""
    targets = {name: f"{sink}/files/{scan}/{name}" for name in SINGLE_ARTIFACTS}
    body = {
        "completionWebhook": f"{sink}/done/{scan}",
        "results": [{"id": result, "verb": "PUT", "endpoint": f"{sink}/files/{scan}/result"}],
        **{name: {"verb": "PUT", "endpoint": url} for name, url in targets.items()},
    }
    path = f"/v3/downloads/{quote(scan, safe='')}/export/plain"
    headers = {"Authorization": f"Bearer {token}"}
    async with session.post(vendor["copyleaks_api"] + path, json=body, headers=headers) as answer:
        answer.raise_for_status()


async def log_in(session: ClientSession, vendor: dict[str, str]) -> str:
    """A token."""
    body = {"email": vendor["copyleaks_email"], "key": vendor["copyleaks_key"]}
    url = vendor["copyleaks_identity"] + "/v3/account/login/api"
    async with session.post(url, json=body) as answer:
        return str((await answer.json())["access_token"])


def orders_of(file: Path) -> Iterator[tuple[str, str]]:
    """Scan and result id of each line of a file."""
    for line in file.read_text().splitlines():
        scan, result = json.loads(line)
        yield scan, result


async def _serve(folder: Path) -> None:
    print(await Sink(folder).start(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
