"""What is usually written instead of the receiver: durable too, one commit or file at a time."""

import os
import sqlite3
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from export_pipeline.receiver.server import listen

LOOPBACK = "127.0.0.1"


def build(home: Path) -> Starlette:
    """An app that inserts and commits each webhook, and writes and syncs each upload."""
    connection = sqlite3.connect(home / "peer.sqlite")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE inbox (id INTEGER PRIMARY KEY, subject TEXT, body BLOB)")
    folder = home / "peer"
    folder.mkdir()

    async def webhook(request: Request) -> Response:
        row = (request.path_params["subject"], await request.body())
        with connection:
            connection.execute("INSERT INTO inbox (subject, body) VALUES (?, ?)", row)
        return Response(status_code=200)

    async def upload(request: Request) -> Response:
        name = request.path_params["name"].replace("/", "_")
        with (folder / name).open("xb") as file:
            file.write(await request.body())
            file.flush()
            os.fsync(file.fileno())
        return Response(status_code=201)

    return Starlette(
        routes=[
            Route("/hooks/{subject:path}", webhook, methods=["POST"]),
            Route("/uploads/{name:path}", upload, methods=["PUT"]),
        ]
    )


def _main(home: Path) -> None:
    with listen(LOOPBACK, 0) as listener:
        print(f"http://{LOOPBACK}:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(build(home), access_log=False, log_level="warning", lifespan="off")
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
