"""Laserfiche as the sandbox runs it."""

from collections.abc import Mapping
from typing import Any

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.laserfiche import app
from export_pipeline.sandbox.laserfiche.accounts import access_key
from export_pipeline.sandbox.laserfiche.control import Control, stats_of
from export_pipeline.sandbox.laserfiche.entries import FOLDER, EntrySpec
from export_pipeline.sandbox.laserfiche.errors import not_found
from export_pipeline.sandbox.laserfiche.filehost import FileHost
from export_pipeline.sandbox.laserfiche.laserfiche import Laserfiche
from export_pipeline.sandbox.laserfiche.options import LaserficheOptions
from export_pipeline.sandbox.routing import ApiError, Handler
from export_pipeline.sandbox.vendor import Host, Origins

FOLDER_ID = 2
EXAMPLES = (
    EntrySpec("Invoice 2026-001", 11, pages=1, parent=FOLDER_ID),
    EntrySpec("Contract", 12, pages=3, extension="pdf", edoc_bytes=30_000, parent=FOLDER_ID),
    EntrySpec("Minutes", 13, extension="docx", edoc_bytes=4_000, parent=FOLDER_ID),
    EntrySpec("Plans", 14, pages=60, parent=FOLDER_ID),
)
"""Ready documents: one page, pages beside a PDF, an office file without pages, many pages."""


class LaserficheVendor:
    """The vendor with its control routes and its ready documents."""

    name = "laserfiche"
    id_header = "X-RequestId"

    def __init__(self, options: LaserficheOptions, clock: Clock, origins: Origins) -> None:
        files = origins.base(self.name, Host.FILES)
        self._laserfiche = Laserfiche(options, clock, origins.base(self.name), files)
        self._options = options
        self._origins = origins
        now = clock.now()
        self._laserfiche.entries.add(EntrySpec("Examples", FOLDER_ID, FOLDER), now)
        for spec in EXAMPLES:
            self._laserfiche.entries.add(spec, now)

    def routes(self) -> Mapping[Host, Mapping[str, Handler]]:
        """The API with both logins, and the host that its links lead to."""
        files = FileHost(self._laserfiche)
        return {Host.MAIN: app.routes(self._laserfiche), Host.FILES: files.routes()}

    def control_routes(self) -> Mapping[str, Handler]:
        """What a test or a demo may do to it."""
        return Control(self._laserfiche).routes()

    def not_found(self) -> ApiError:
        """The API's own problem."""
        return not_found()

    def stats(self) -> dict[str, Any]:
        """All counters."""
        return stats_of(self._laserfiche)

    def announcement(self) -> Mapping[str, str]:
        """Its address, its repository, and the first account with its service app."""
        account = self._options.accounts[0]
        url = self._origins.base(self.name)
        return {
            "laserfiche": url,
            "laserfiche_repository": self._options.repository,
            "laserfiche_username": account.username,
            "laserfiche_password": account.password,
            "laserfiche_token_url": f"{url}/oauth/Token",
            "laserfiche_access_key": access_key(account),
            "laserfiche_control": self._origins.control(self.name),
        }

    def examples(self) -> Mapping[str, list[str]]:
        """Entries that can be exported."""
        return {"documents": [str(spec.id) for spec in EXAMPLES]}

    async def close(self) -> None:
        """Nothing goes on in the background."""
