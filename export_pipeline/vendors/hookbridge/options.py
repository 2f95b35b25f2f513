"""HookBridge's variables."""

from datetime import date
from typing import Annotated, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

from export_pipeline.vendors.fields import HeaderSecret, base_address
from export_pipeline.vendors.hookbridge.filters import Direction
from export_pipeline.vendors.options import VendorAccount, VendorOptions, part, variable

PREFIX = "EXPORT_HOOKBRIDGE_"
REQUESTS_PER_MINUTE = 1_000
"""FACTS 3.1: per project."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("no time zone of that name: use one such as Europe/Berlin") from None
    return name


class HookBridgeOptions(VendorOptions):
    """What can be set of HookBridge beside its accounts."""

    prefix: ClassVar[str] = PREFIX

    api_url: Annotated[str, base_address("https://api.hookbridge.io", "/v1")] = variable(
        PREFIX + "API_URL",
        "HookBridge's API",
        default="https://api.hookbridge.io",
    )
    requests_per_minute: int = variable(
        PREFIX + "REQUESTS_PER_MINUTE",
        "HookBridge's limit on calls of a project",
        default=REQUESTS_PER_MINUTE,
        gt=0,
    )
    start: date | None = variable(
        PREFIX + "START",
        "First day whose window the schedule registers; empty: yesterday at its first run",
        default=None,
    )
    zone: Annotated[str, AfterValidator(_zone)] = variable(
        PREFIX + "ZONE",
        "Time zone of those days",
        default="UTC",
    )
    direction: Literal["outbound", "inbound", "both"] = variable(
        PREFIX + "DIRECTION",
        "Of which messages each day has a window: outbound, inbound, or both",
        default="outbound",
    )
    delete: bool = variable(
        PREFIX + "DELETE",
        "Delete each export at HookBridge once its scan is archived",
        default=False,
    )

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Those of which each day has a window."""
        return tuple(Direction) if self.direction == "both" else (Direction(self.direction),)


class HookBridgeAccount(VendorAccount):
    """One project's credentials."""

    key: HeaderSecret = part("KEY", "API key of the project, hb_live_... or hb_test_...")
