"""Azurite behind a proxy that breaks connections, or behind a gate that answers in its place."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from export_pipeline.storage.azure.open import open_store
from export_pipeline.storage.azure.store import AzureStore
from export_pipeline.storage.http import Http
from export_pipeline_tests.servers.azurite import ACCOUNT, Azurite
from export_pipeline_tests.storage.upstream import PATIENT_SECONDS, Sleep, at_once

BLOCK_BYTES = 1024**2


@dataclass(frozen=True)
class AzureUpstream:
    """See `Upstream`."""

    server: Azurite
    container: str

    @property
    def url(self) -> str:
        return self.server.url

    def store(
        self, url: str, *, stall_seconds: float = PATIENT_SECONDS, sleep: Sleep = at_once
    ) -> AzureStore:
        variables = self.server.variables() | {"EXPORT_AZURE_ENDPOINT": f"{url}/{ACCOUNT}"}
        parts = urlsplit(f"az://{ACCOUNT}/{self.container}/p")
        return open_store(parts, variables, http=Http(stall_seconds), sleep=sleep)

    def write(self, key: str, data: bytes) -> None:
        blob = self.server.client.get_blob_client(self.container, f"p/{key}")
        blob.upload_blob(data, overwrite=True)

    def unfinished(self) -> list[str]:
        found = self.server.client.get_container_client(self.container)
        everything = {blob.name for blob in found.list_blobs(include=["uncommittedblobs"])}
        return sorted(everything - {blob.name for blob in found.list_blobs()})

    def path(self, key: str) -> str:
        """The path of a blob's URL."""
        return f"/{ACCOUNT}/{self.container}/p/{key}"
