"""An SFTP server behind a proxy that breaks connections."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from export_pipeline.storage.sftp.open import open_store
from export_pipeline.storage.sftp.store import SftpStore
from export_pipeline_tests.servers.sshd import LOOPBACK, SftpServer
from export_pipeline_tests.storage.sftp.drafts import drafts
from export_pipeline_tests.storage.upstream import PATIENT_SECONDS, Sleep, at_once


@dataclass(frozen=True)
class SftpUpstream:
    """See `Upstream`."""

    server: SftpServer
    folder: Path

    @property
    def url(self) -> str:
        return f"tcp://{LOOPBACK}:{self.server.port}"

    def store(
        self, url: str, *, stall_seconds: float = PATIENT_SECONDS, sleep: Sleep = at_once
    ) -> SftpStore:
        parts = urlsplit(self.server.url(self.folder, urlsplit(url).port))
        return open_store(parts, self.server.variables(), stall_seconds=stall_seconds, sleep=sleep)

    def write(self, key: str, data: bytes) -> None:
        # At once: what is read ahead would else meet a file that is just being emptied.
        arrived = self.folder.with_name(f"{self.folder.name} arrived")
        arrived.write_bytes(data)
        arrived.chmod(0o644)
        arrived.rename(self.folder / key)

    def unfinished(self) -> list[str]:
        return [draft.name for draft in drafts(self.folder)]
