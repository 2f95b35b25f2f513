"""HookBridge as the sandbox runs it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.hookbridge.app import HookBridge
from export_pipeline.sandbox.hookbridge.control import Control, stats_of
from export_pipeline.sandbox.hookbridge.errors import not_found
from export_pipeline.sandbox.hookbridge.exports import ExportSpec
from export_pipeline.sandbox.hookbridge.filters import shown
from export_pipeline.sandbox.hookbridge.options import HookBridgeOptions
from export_pipeline.sandbox.routing import ApiError, Handler
from export_pipeline.sandbox.vendor import Host, Origins

EXAMPLES: tuple[dict[str, str], ...] = (
    {},
    {"status": "failed_permanent"},
    {"direction": "inbound"},
)
"""Ready exports of the day before: everything sent, what failed of it, everything received."""

COMPLETED_SECONDS = 60.0
"""Age at which an export is completed for certain."""


class HookBridgeVendor:
    """The vendor with its control routes and its ready exports."""

    name = "hookbridge"
    id_header = None

    def __init__(self, options: HookBridgeOptions, clock: Clock, origins: Origins) -> None:
        self._hookbridge = HookBridge(options, clock, origins.base(self.name, Host.FILES))
        self._key = options.projects[0].key
        self._origins = origins
        self._examples = [self._example(filters) for filters in EXAMPLES]

    def routes(self) -> Mapping[Host, Mapping[str, Handler]]:
        """The API, and on a host of its own the store that its links lead to."""
        return {Host.MAIN: self._hookbridge.routes(), Host.FILES: self._hookbridge.file_routes()}

    def control_routes(self) -> Mapping[str, Handler]:
        """What a test or a demo may do to it."""
        return Control(self._hookbridge).routes()

    def not_found(self) -> ApiError:
        """The vendor's own envelope."""
        return not_found()

    def stats(self) -> dict[str, Any]:
        """All counters."""
        return stats_of(self._hookbridge)

    def announcement(self) -> Mapping[str, str]:
        """Its address and the key of its first project."""
        return {
            "hookbridge": self._origins.base(self.name),
            "hookbridge_key": self._key,
            "hookbridge_control": self._origins.control(self.name),
        }

    def examples(self) -> Mapping[str, list[str]]:
        """Exports that are completed."""
        return {"exports": self._examples}

    async def close(self) -> None:
        """Nothing goes on in the background."""

    def _example(self, filters: Mapping[str, str]) -> str:
        """Make one as of midnight, so that its id is the same all day."""
        now = self._hookbridge.clock.now()
        today = datetime.fromtimestamp(now - COMPLETED_SECONDS, UTC).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        window = {"start_time": shown(today - timedelta(days=1)), "end_time": shown(today)}
        spec = ExportSpec({**window, **filters}, age_seconds=now - today.timestamp())
        return self._hookbridge.exports.create(spec, self._hookbridge.options, now).id
