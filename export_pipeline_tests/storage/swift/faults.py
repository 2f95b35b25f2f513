"""Swift behind a proxy that breaks connections, or behind a gate that answers in its place."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import aiohttp

from export_pipeline.storage.http import Http
from export_pipeline.storage.swift.open import open_store
from export_pipeline.storage.swift.store import SwiftStore
from export_pipeline_tests.servers.swift import Swift
from export_pipeline_tests.storage.upstream import PATIENT_SECONDS, Sleep, at_once

SEGMENT_BYTES = 1_500_000
Body = Iterable[bytes | memoryview]


class Detour(Http):
    """Goes another way to Swift than Keystone tells."""

    def __init__(self, there: str, here: str, stall_seconds: float) -> None:
        super().__init__(stall_seconds)
        self._there, self._here = there, here

    def answering(
        self, verb: str, url: str, headers: Mapping[str, str], body: Body | None = None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return super().answering(verb, url.replace(self._there, self._here), headers, body)


@dataclass(frozen=True)
class SwiftUpstream:
    """See `Upstream`."""

    server: Swift
    container: str

    @property
    def url(self) -> str:
        """Of Swift's proxy, before the account's path."""
        return self.server.url.partition("/v1/")[0]

    def store(
        self, url: str, *, stall_seconds: float = PATIENT_SECONDS, sleep: Sleep = at_once
    ) -> SwiftStore:
        return self.opened(Detour(self.url, url, stall_seconds), sleep)

    def opened(self, http: Http, sleep: Sleep = at_once, **changes: str) -> SwiftStore:
        """A store that goes to Swift in its own way, with other variables."""
        parts = urlsplit(f"swift://{quote(self.container)}/p")
        return open_store(parts, self.server.variables() | changes, http=http, sleep=sleep)

    def write(self, key: str, data: bytes, **headers: str) -> None:
        name = self.server.address(self.container, f"p/{key}")
        self.server.client.put(name, content=data, headers=headers).raise_for_status()

    def unfinished(self) -> list[str]:
        """Every segment, also those of a whole object."""
        return [name for name in self.server.names(self.container) if name.startswith("p/.seg")]
