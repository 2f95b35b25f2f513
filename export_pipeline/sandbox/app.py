"""All vendors as one ASGI app; a new vendor is one field of the options and one line here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.cloudconvert.options import CloudConvertOptions
from export_pipeline.sandbox.cloudconvert.vendor import CloudConvertVendor
from export_pipeline.sandbox.copyleaks.options import CopyleaksOptions
from export_pipeline.sandbox.copyleaks.vendor import CopyleaksVendor
from export_pipeline.sandbox.files import has_two_credentials, two_credentials
from export_pipeline.sandbox.hookbridge.options import HookBridgeOptions
from export_pipeline.sandbox.hookbridge.vendor import HookBridgeVendor
from export_pipeline.sandbox.laserfiche.options import LaserficheOptions
from export_pipeline.sandbox.laserfiche.vendor import LaserficheVendor
from export_pipeline.sandbox.routing import Handler, Router
from export_pipeline.sandbox.vendor import Origins, SandboxVendor

Pace = Literal["documented", "fast"]
"""The vendors' limits as documented, or none that a test would feel."""


@dataclass(frozen=True)
class SandboxOptions:
    """The options of each vendor."""

    copyleaks: CopyleaksOptions = field(default_factory=CopyleaksOptions)
    hookbridge: HookBridgeOptions = field(default_factory=HookBridgeOptions)
    laserfiche: LaserficheOptions = field(default_factory=LaserficheOptions)
    cloudconvert: CloudConvertOptions = field(default_factory=CloudConvertOptions)

    @classmethod
    def at(cls, pace: Pace, **copyleaks: Any) -> Self:
        """All vendors at one pace; `copyleaks` are further options of that one."""
        return cls(
            CopyleaksOptions(pace=pace, **copyleaks),
            HookBridgeOptions(pace=pace),
            LaserficheOptions(pace=pace),
            CloudConvertOptions(pace=pace),
        )


def open_vendors(options: SandboxOptions, clock: Clock, origins: Origins) -> list[SandboxVendor]:
    """Every vendor of the sandbox."""
    return [
        CopyleaksVendor(options.copyleaks, clock, origins),
        HookBridgeVendor(options.hookbridge, clock, origins),
        LaserficheVendor(options.laserfiche, clock, origins),
        CloudConvertVendor(options.cloudconvert, clock, origins),
    ]


class SandboxApp:
    """The running vendors; made inside the event loop that serves them."""

    def __init__(self, options: SandboxOptions, clock: Clock, origins: Origins) -> None:
        self._vendors = {one.name: one for one in open_vendors(options, clock, origins)}
        self._files_port = urlsplit(origins.files).port
        self._routers: dict[tuple[int | None, str], Router] = {}
        for vendor in self._vendors.values():
            for host, routes in vendor.routes().items():
                self._add(origins.base(vendor.name, host), routes, vendor)
            self._add(origins.control(vendor.name), vendor.control_routes(), vendor)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, by the port that it came to and the vendor that its path names."""
        port, path = scope["server"][1], scope["raw_path"].decode("latin-1")
        if port == self._files_port and has_two_credentials(scope):
            return await two_credentials()(scope, receive, send)
        for (its_port, prefix), router in self._routers.items():
            if port == its_port and path.startswith(f"{prefix}/"):
                return await router(scope, receive, send)
        return await Response(status_code=404)(scope, receive, send)

    @property
    def announcement(self) -> dict[str, Any]:
        """Where each vendor is, the credentials it takes, and under `examples` what it has."""
        told: dict[str, Any] = {}
        for vendor in self._vendors.values():
            told |= vendor.announcement()
        examples = {vendor.name: vendor.examples() for vendor in self._vendors.values()}
        return {**told, "examples": {name: found for name, found in examples.items() if found}}

    def stats(self, vendor: str) -> dict[str, Any]:
        """The counters of one vendor, as its control endpoint tells them."""
        return self._vendors[vendor].stats()

    async def close(self) -> None:
        """End what the vendors do in the background."""
        for vendor in self._vendors.values():
            await vendor.close()

    def _add(self, base: str, routes: Mapping[str, Handler], vendor: SandboxVendor) -> None:
        parts = urlsplit(base)
        router = Router(parts.path, routes, vendor.not_found, vendor.id_header)
        self._routers[parts.port, parts.path] = router
