"""HookBridge's variables."""

import re
from datetime import date
from typing import Annotated, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr

from export_pipeline.vendors.hookbridge.filters import Direction
from export_pipeline.vendors.options import VendorAccount, VendorOptions, part

PREFIX = "EXPORT_HOOKBRIDGE_"
REQUESTS_PER_MINUTE = 1_000
"""FACTS 3.1: per project."""

_KEY = re.compile(r"[!-~]+")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("no time zone of that name: use one such as Europe/Berlin") from None
    return name


def _sendable(key: SecretStr) -> SecretStr:
    if not _KEY.fullmatch(key.get_secret_value()):
        raise ValueError("no key: it has to be ASCII without blanks and line breaks")
    return key


class HookBridgeOptions(VendorOptions):
    """What can be set of HookBridge beside its accounts."""

    prefix: ClassVar[str] = PREFIX

    api_url: str = Field(
        "https://api.hookbridge.io",
        alias="EXPORT_HOOKBRIDGE_API_URL",
        description="HookBridge's API",
    )
    requests_per_minute: int = Field(
        REQUESTS_PER_MINUTE,
        alias="EXPORT_HOOKBRIDGE_REQUESTS_PER_MINUTE",
        description="HookBridge's limit on calls of a project",
        gt=0,
    )
    start: date | None = Field(
        None,
        alias="EXPORT_HOOKBRIDGE_START",
        description="First day whose window the schedule registers; empty: only yesterday",
    )
    zone: Annotated[str, AfterValidator(_zone)] = Field(
        "UTC",
        alias="EXPORT_HOOKBRIDGE_ZONE",
        description="Time zone of those days",
    )
    direction: Literal["outbound", "inbound", "both"] = Field(
        "outbound",
        alias="EXPORT_HOOKBRIDGE_DIRECTION",
        description="Of which messages each day has a window: outbound, inbound, or both",
    )
    delete: bool = Field(
        default=False,
        alias="EXPORT_HOOKBRIDGE_DELETE",
        description="Delete each export at HookBridge once its scan is archived",
    )

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Those of which each day has a window."""
        return tuple(Direction) if self.direction == "both" else (Direction(self.direction),)


class HookBridgeAccount(VendorAccount):
    """One project's credentials."""

    key: Annotated[SecretStr, AfterValidator(_sendable)] = part(
        "KEY", "API key of the project, hb_live_... or hb_test_..."
    )
