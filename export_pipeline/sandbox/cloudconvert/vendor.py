"""CloudConvert as the sandbox runs it."""

from collections.abc import Mapping
from typing import Any

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.cloudconvert.app import App
from export_pipeline.sandbox.cloudconvert.cloudconvert import CloudConvert
from export_pipeline.sandbox.cloudconvert.control import Control, stats_of
from export_pipeline.sandbox.cloudconvert.errors import not_found
from export_pipeline.sandbox.cloudconvert.filehost import FileHost
from export_pipeline.sandbox.cloudconvert.making import FileSpec, JobSpec, make
from export_pipeline.sandbox.cloudconvert.options import CloudConvertOptions
from export_pipeline.sandbox.routing import ApiError, Handler
from export_pipeline.sandbox.vendor import Host, Origins

EXAMPLES = (
    JobSpec((FileSpec("letter.txt", text="Dear reader,\n"),), tag="letter"),
    JobSpec((FileSpec("page-1.txt"), FileSpec("page-2.txt", text="The end.\n")), tag="pages"),
    JobSpec(
        (FileSpec("summary.txt", "2025"), FileSpec("summary.txt", "2026", text="Better.\n")),
        tag="summaries",
        exported=True,
    ),
)
"""Ready jobs: of one file, of several, and of two files of one name with links to them."""


class CloudConvertVendor:
    """The vendor with its control routes and its ready jobs."""

    name = "cloudconvert"
    id_header = None

    def __init__(self, options: CloudConvertOptions, clock: Clock, origins: Origins) -> None:
        base, files = origins.base(self.name), origins.base(self.name, Host.FILES)
        self._vendor = CloudConvert(options, clock, base, files)
        self._app = App(self._vendor)
        self._account = options.accounts[0]
        self._origins = origins
        self._examples = [make(self._vendor, spec) for spec in EXAMPLES]

    def routes(self) -> Mapping[Host, Mapping[str, Handler]]:
        """The API on both its hosts, and the host of the files."""
        return {
            Host.MAIN: self._app.routes(waits=False),
            Host.SYNC: self._app.routes(waits=True),
            Host.FILES: FileHost(self._vendor).routes(),
        }

    def control_routes(self) -> Mapping[str, Handler]:
        """What a test or a demo may do to it."""
        return Control(self._vendor, self._app).routes()

    def not_found(self) -> ApiError:
        """The API's own error."""
        return not_found()

    def stats(self) -> dict[str, Any]:
        """All counters."""
        return stats_of(self._vendor, self._app)

    def announcement(self) -> Mapping[str, str]:
        """Its two addresses, below which `/v2` lies, and the key of its first account."""
        return {
            "cloudconvert": self._origins.base(self.name),
            "cloudconvert_sync": self._origins.base(self.name, Host.SYNC),
            "cloudconvert_key": self._account.key,
            "cloudconvert_webhook_secret": self._account.webhook_secret,
            "cloudconvert_control": self._origins.control(self.name),
        }

    def examples(self) -> Mapping[str, list[str]]:
        """Jobs that are finished, and the first task of each."""
        return {
            "jobs": [job.id for job in self._examples],
            "tasks": [job.tasks[0].id for job in self._examples],
        }

    async def close(self) -> None:
        """End all work."""
        await self._vendor.close()
