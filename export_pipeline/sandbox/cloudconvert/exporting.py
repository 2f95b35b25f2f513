"""What each export operation does with its files (seed 003)."""

from collections.abc import Callable, Sequence

import aiohttp

from export_pipeline.sandbox.cloudconvert.calling import call, media_type
from export_pipeline.sandbox.cloudconvert.converting import apart, zipped
from export_pipeline.sandbox.cloudconvert.faults import DEAD_LINKS, LOST_ANSWER
from export_pipeline.sandbox.cloudconvert.links import Links
from export_pipeline.sandbox.cloudconvert.names import stored_names
from export_pipeline.sandbox.cloudconvert.options import CloudConvertOptions
from export_pipeline.sandbox.cloudconvert.stats import Stats
from export_pipeline.sandbox.cloudconvert.stores import naming_arguments, open_store
from export_pipeline.sandbox.cloudconvert.stores.store import Given
from export_pipeline.sandbox.cloudconvert.tasks import LIFE_SECONDS, MadeFile, Task, told

Files = Sequence[MadeFile]


class Exporting:
    """Does export tasks; what a store refuses is a CallError."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        links: Links,
        stats: Stats,
        options: Callable[[], CloudConvertOptions],
    ) -> None:
        self._session = session
        self._links = links
        self._stats = stats
        self._options = options

    async def run(self, task: Task, files: Files, fault: str) -> None:
        """Export the files as the task says."""
        match task.operation:
            case "export/url":
                seconds = 0 if fault == DEAD_LINKS else LIFE_SECONDS
                self.give_links(task, files, seconds)
            case "export/upload":
                for file in files:
                    await self._upload(task, file, fault)
                task.told = [{"filename": file.filename} for file in files]
            case _:
                await self._store(task, files)
                task.told = [{"filename": file.filename} for file in files]

    def give_links(self, task: Task, files: Files, seconds: float) -> None:
        """Let the task's files, or a ZIP of them, be had by links that live so long."""
        options = self._options()
        is_packed = task.payload.get("archive_multiple_files", False)
        if is_packed and (options.zip_of_one or len(files) > 1):
            name = "archive" if options.zip_name == "archive" else task.id
            files = [MadeFile(f"{name}.zip", zipped(files))]
        task.files = apart(files)
        task.told = [
            {**told(file), "url": self._links.sign(task.id, file.parts, seconds)}
            for file in task.files
        ]

    async def _upload(self, task: Task, file: MadeFile, fault: str) -> None:
        headers = dict(task.payload.get("headers") or {})
        if "content-type" not in {name.lower() for name in headers}:
            headers["Content-Type"] = media_type(file.filename)
        for _ in range(2 if fault == LOST_ANSWER else 1):
            url = task.payload["url"]
            answer = await call(self._session, "PUT", url, headers=headers, data=file.body)
            self._stats.uploads_sent += 1
        answer.require_success("The upload")

    async def _store(self, task: Task, files: Files) -> None:
        kind = task.operation.removeprefix("export/")
        pattern, prefix = (task.payload.get(name) or "" for name in naming_arguments(kind))
        if kind == "sftp" and prefix:
            prefix = f"{prefix.rstrip('/')}/"
        given = Given(task.payload, self._session, self._options())
        for file, name in zip(files, stored_names(files, pattern, prefix), strict=True):
            await open_store(kind).put(given, name, file.body)
            self._stats.uploads_sent += 1
