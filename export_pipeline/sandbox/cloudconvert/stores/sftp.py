"""export/sftp and import/sftp: by a password or a private key."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePosixPath

import asyncssh

from export_pipeline.sandbox.cloudconvert.calling import CallError
from export_pipeline.sandbox.cloudconvert.stores.store import Given
from export_pipeline.sandbox.cloudconvert.tasks import Json

PORT = 22


async def put(given: Given, name: str, body: bytes) -> None:
    """Write a file; whether the folders above it are made is documented nowhere."""
    async with _opened(given.arguments) as sftp:
        if given.options.sftp_folders == "made":
            await sftp.makedirs(str(PurePosixPath(name).parent), exist_ok=True)
        async with sftp.open(name, "wb") as file:
            await file.write(body)


async def get(given: Given, name: str) -> bytes:
    """Read a file."""
    async with _opened(given.arguments) as sftp, sftp.open(name, "rb") as file:
        body: bytes = await file.read()
        return body


async def names(given: Given, prefix: str) -> list[str]:
    """List a folder's files."""
    async with _opened(given.arguments) as sftp:
        found = [str(one.filename) async for one in sftp.scandir(prefix)]
        paths = [f"{prefix.rstrip('/')}/{one}" for one in sorted(found)]
        return [path for path in paths if await sftp.isfile(path)]


@asynccontextmanager
async def _opened(arguments: Json) -> AsyncIterator[asyncssh.SFTPClient]:
    key = arguments.get("private_key")
    try:
        # The vendor has no list of known hosts, nor any configuration or agent of ours.
        async with asyncssh.connect(
            arguments["host"],
            arguments.get("port", PORT),
            username=arguments["username"],
            password=arguments.get("password"),
            client_keys=[asyncssh.import_private_key(key)] if key else None,
            known_hosts=None,
            config=None,
            agent_path=None,
        ) as connection:
            yield await connection.start_sftp_client()
    except (asyncssh.Error, OSError, ValueError) as error:
        raise CallError(f"SFTP: {error}") from error
