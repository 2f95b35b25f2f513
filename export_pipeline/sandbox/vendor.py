"""What the sandbox knows of a vendor that it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from export_pipeline.sandbox.routing import ApiError, Handler


class Host(StrEnum):
    """The sandbox's ports: what are hosts of their own at the vendors are origins of their own."""

    MAIN = "main"
    """The APIs, and what a test or a demo may do to them below `/sandbox`."""
    FILES = "files"
    """Where links to files lead; it takes no credential beside the one in the link."""
    SYNC = "sync"
    """CloudConvert's host whose answers wait for the end."""


@dataclass(frozen=True)
class Origins:
    """Where each host is, e.g. `http://127.0.0.1:8500`."""

    main: str
    files: str
    sync: str

    def base(self, vendor: str, host: Host = Host.MAIN) -> str:
        """The URL below which a vendor's routes on that host lie."""
        return f"{getattr(self, host)}/{vendor}"

    def control(self, vendor: str) -> str:
        """The URL below which its control routes lie."""
        return f"{self.main}/sandbox/{vendor}"


class SandboxVendor(Protocol):
    """A vendor that the sandbox runs; made and used inside one event loop."""

    @property
    def name(self) -> str:
        """Its path on every host, e.g. `copyleaks`."""

    @property
    def id_header(self) -> str | None:
        """The header in which it tells each request's id; None where only bodies do."""

    def routes(self) -> Mapping[Host, Mapping[str, Handler]]:
        """Its paths on each of its hosts, below `Origins.base`."""

    def control_routes(self) -> Mapping[str, Handler]:
        """What may be done to it, below `Origins.control`; no part of the vendor's API."""

    def not_found(self) -> ApiError:
        """Its answer to a path that it does not have."""

    def stats(self) -> dict[str, Any]:
        """What it saw and did, as plain values."""

    def announcement(self) -> Mapping[str, str]:
        """Where it is and the credentials it takes, each key beginning with its name."""

    def examples(self) -> Mapping[str, list[str]]:
        """Ready things to export by what they are, e.g. `{"exports": [id]}`."""

    async def close(self) -> None:
        """End whatever goes on in the background."""
