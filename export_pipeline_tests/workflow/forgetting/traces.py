"""What tests of forgetting look at: whatever still names a scan, in files and in the ledger."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from export_pipeline.sandbox import ScanSpec
from export_pipeline.scans import ScanKey, escape
from export_pipeline.workflow.forgetting.forget import Forgotten, forget
from export_pipeline.workflow.forgetting.forgettable import look
from export_pipeline.workflow.pipeline import Pipeline

KEPT_FILES = ("receiver-secret", "tombstone-key")


@dataclass
class Seen:
    """A view that notes what was taken out of it, and is busy if it is told to be."""

    why_busy: str = ""
    gone: list[ScanKey] = field(default_factory=list)

    def busy(self) -> str:
        return self.why_busy

    def forget(self, keys: Sequence[ScanKey]) -> Sequence[str]:
        self.gone += keys
        return ["the log of the view"]


def forgetting(
    *keys: ScanKey, view: Seen | None = None, at_vendor: bool = False, patience: float = 0.0
) -> Callable[[Pipeline], Awaitable[Forgotten]]:
    """What `World.run` is to do: look at the scans, and forget them."""

    async def work(pipeline: Pipeline) -> Forgotten:
        candidates = [await look(pipeline, key) for key in keys]
        return await forget(
            pipeline,
            candidates,
            view or Seen(),
            reason="case 42",
            at_vendor=at_vendor,
            patience=patience,
        )

    return work


def spellings(scan: str) -> set[bytes]:
    """Each way in which a file may name a scan."""
    inside = json.dumps(scan)[1:-1]
    raw = json.dumps(scan, ensure_ascii=False)[1:-1]
    texts = {scan, inside, raw, escape(scan), quote(scan, safe=""), quote(escape(scan), safe="=")}
    return {text.encode() for text in texts}


def naming(folder: Path, *needles: bytes) -> list[str]:
    """The files and folders below `folder` in whose name or bytes one of the needles stands."""
    found = []
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() and path.name not in KEPT_FILES else b""
        if any(needle in content or needle in str(path).encode() for needle in needles):
            found.append(str(path.relative_to(folder)))
    return found


def key(scan: str) -> ScanKey:
    return ScanKey("copyleaks", "default", scan)


def spec(scan: str) -> ScanSpec:
    return ScanSpec(scan, results=2)
