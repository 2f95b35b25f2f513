"""Copyleaks as the sandbox runs it."""

from collections.abc import Mapping
from typing import Any

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.copyleaks.app import Copyleaks
from export_pipeline.sandbox.copyleaks.control import Control, stats_of
from export_pipeline.sandbox.copyleaks.errors import ProblemError
from export_pipeline.sandbox.copyleaks.options import CopyleaksOptions
from export_pipeline.sandbox.routing import ApiError, Handler
from export_pipeline.sandbox.vendor import Host, Origins


class CopyleaksVendor:
    """The vendor with its control routes; its examples are made by whoever wants some."""

    name = "copyleaks"
    id_header = "X-Request-Id"

    def __init__(self, options: CopyleaksOptions, clock: Clock, origins: Origins) -> None:
        self._copyleaks = Copyleaks(options, clock)
        self._account = options.accounts[0]
        self._origins = origins

    def routes(self) -> Mapping[Host, Mapping[str, Handler]]:
        """API and login are one host here."""
        return {Host.MAIN: self._copyleaks.routes()}

    def control_routes(self) -> Mapping[str, Handler]:
        """What a test or a demo may do to it."""
        return Control(self._copyleaks).routes()

    def not_found(self) -> ApiError:
        """The web framework's answer."""
        return ProblemError(404)

    def stats(self) -> dict[str, Any]:
        """All counters."""
        return stats_of(self._copyleaks)

    def announcement(self) -> Mapping[str, str]:
        """Its addresses and the first account."""
        url = self._origins.base(self.name)
        return {
            "copyleaks_api": url,
            "copyleaks_identity": url,
            "copyleaks_email": self._account.email,
            "copyleaks_key": self._account.key,
            "copyleaks_control": self._origins.control(self.name),
        }

    def examples(self) -> Mapping[str, list[str]]:
        """None: scans are made by its control endpoint."""
        return {}

    async def close(self) -> None:
        """End all deliveries."""
        await self._copyleaks.close()
