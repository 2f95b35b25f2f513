"""A web server behind a proxy that breaks connections, or a gate that answers in its place."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from export_pipeline.storage.http import Http
from export_pipeline.storage.http_put.open import open_store
from export_pipeline.storage.http_put.store import HttpPutStore
from export_pipeline_tests.servers.nginx import Nginx
from export_pipeline_tests.servers.web_target import WebTarget
from export_pipeline_tests.storage.upstream import PATIENT_SECONDS, Sleep, at_once

NOW = 1_800_000_000


@dataclass(frozen=True)
class WebUpstream:
    """See `Upstream`.

    Args:
        server: of either kind.
        folder: URL of one that is empty.
    """

    server: WebTarget | Nginx
    folder: str

    @property
    def url(self) -> str:
        return self.server.url

    def store(
        self, url: str, *, stall_seconds: float = PATIENT_SECONDS, sleep: Sleep = at_once
    ) -> HttpPutStore:
        parts = urlsplit(self.folder.replace(self.url, url))
        return open_store(
            parts, self.server.variables(), http=Http(stall_seconds), now=lambda: NOW, sleep=sleep
        )

    def write(self, key: str, data: bytes) -> None:
        path = self.path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        arrived = self.server.files.with_name("arrived")
        arrived.write_bytes(data)
        arrived.replace(path)

    def unfinished(self) -> list[str]:
        """None, by HTTP's own rules: what a server makes of a PUT that breaks off is its own."""
        return []

    @property
    def path(self) -> Path:
        """The folder on the server's disk."""
        return self.server.files / urlsplit(self.folder).path.strip("/")
