"""SeaweedFS behind a proxy that breaks connections, or behind a gate that answers in its place."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from export_pipeline.storage.http import Http
from export_pipeline.storage.s3.open import open_store
from export_pipeline.storage.s3.store import S3Store
from export_pipeline_tests.servers.seaweedfs import SeaweedFS
from export_pipeline_tests.storage.upstream import PATIENT_SECONDS, Sleep, at_once

PART_BYTES = 5 * 1024**2
"""The smallest part that S3 takes."""


@dataclass(frozen=True)
class S3Upstream:
    """See `Upstream`."""

    server: SeaweedFS
    bucket: str

    @property
    def url(self) -> str:
        return self.server.url

    def store(
        self, url: str, *, stall_seconds: float = PATIENT_SECONDS, sleep: Sleep = at_once
    ) -> S3Store:
        variables = self.server.variables() | {"EXPORT_S3_ENDPOINT": url}
        parts = urlsplit(f"s3://{self.bucket}/p")
        return open_store(parts, variables, http=Http(stall_seconds), sleep=sleep)

    def write(self, key: str, data: bytes) -> None:
        self.server.client.put_object(Bucket=self.bucket, Key=f"p/{key}", Body=data)

    def unfinished(self) -> list[str]:
        found = self.server.client.list_multipart_uploads(Bucket=self.bucket)
        return [upload["Key"] for upload in found.get("Uploads", [])]
