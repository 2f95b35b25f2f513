"""What each import operation brings (FACTS 4.4)."""

import base64
import binascii
from collections.abc import Callable
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import aiohttp

from export_pipeline.sandbox.cloudconvert.calling import call
from export_pipeline.sandbox.cloudconvert.options import CloudConvertOptions
from export_pipeline.sandbox.cloudconvert.stores import naming_arguments, open_store
from export_pipeline.sandbox.cloudconvert.stores.store import Given
from export_pipeline.sandbox.cloudconvert.tasks import MadeFile, Task


class Importing:
    """Does import tasks."""

    def __init__(
        self, session: aiohttp.ClientSession, options: Callable[[], CloudConvertOptions]
    ) -> None:
        self._session = session
        self._options = options

    async def run(self, task: Task) -> None:
        """Give the task its file; raises CallError if there is none to be had."""
        match task.operation:
            case "import/url":
                task.files = [await self._from_url(task)]
            case "import/base64":
                body = base64.b64decode(task.payload["file"])
                task.files = [MadeFile(task.payload["filename"], body)]
            case "import/raw":
                body = task.payload["file"].encode()
                task.files = [MadeFile(task.payload["filename"], body)]
            case "import/upload":
                await task.uploaded.wait()
            case _:
                task.files = await self._from_store(task)

    async def _from_url(self, task: Task) -> MadeFile:
        url, headers = task.payload["url"], task.payload.get("headers")
        answer = await call(self._session, "GET", url, headers=headers, follows=True)
        answer.require_success("The download")
        own = unquote(PurePosixPath(urlsplit(url).path).name)
        return MadeFile(task.payload.get("filename") or own or "file", answer.body)

    async def _from_store(self, task: Task) -> list[MadeFile]:
        kind = task.operation.removeprefix("import/")
        pattern, prefix = naming_arguments(kind)
        given, store = Given(task.payload, self._session, self._options()), open_store(kind)
        name = task.payload.get(pattern)
        names = [name] if name else await store.names(given, task.payload[prefix])
        bodies = [await store.get(given, one) for one in names]
        own = [PurePosixPath(one).name for one in names]
        if name and task.payload.get("filename"):
            own = [task.payload["filename"]]
        return [MadeFile(one, body) for one, body in zip(own, bodies, strict=True)]


def is_base64(text: object) -> bool:
    """Whether a file can be had from this text."""
    try:
        base64.b64decode(str(text), validate=True)
    except binascii.Error:
        return False
    return True
