"""The audit of one bag: every byte reread against what was sealed."""

from collections.abc import AsyncIterable, Collection, Mapping
from dataclasses import dataclass

from export_pipeline.archive.bag import TAG_NAMES, read_all
from export_pipeline.archive.layout import PAYLOAD_FOLDER, SEAL_NAME
from export_pipeline.archive.tags import MANIFEST_NAME, read_manifest
from export_pipeline.errors import BadInput
from export_pipeline.storage.store import Store
from export_pipeline.transfer.hashing import HashingStream


@dataclass(frozen=True)
class AuditReport:
    """What rereading a bag showed; paths are below the bag's folder.

    Args:
        prefix: the bag's folder in the store.
        seal: why the seal does not vouch for the bag; "" if it does.
        changed: files whose bytes are not those sealed.
        missing: files that were sealed and are gone.
        untracked: files in the folder that were not sealed.
        files: how many were reread, beside the seal.
        bytes: how many bytes they had.
    """

    prefix: str
    seal: str = ""
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0

    @property
    def passed(self) -> bool:
        """Whether the bag is exactly as it was sealed."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, a sentence each, naming bag and file."""
        return (
            *([f"{self.prefix}: {self.seal}"] if self.seal else []),
            *(f"{self.prefix}{path} changed since it was sealed" for path in self.changed),
            *(f"{self.prefix}{path} was sealed and is missing" for path in self.missing),
            *(f"{self.prefix}{path} is there and was never sealed" for path in self.untracked),
        )


async def audit(store: Store, prefix: str) -> AuditReport:
    """Reread the bag at `prefix`, one piece in memory at a time.

    Raises:
        StoreError: the store failed; damage to the bag is in the report instead.
    """
    sizes = {found.key.removeprefix(prefix): found.size async for found in store.list(prefix)}
    if SEAL_NAME not in sizes:
        return AuditReport(prefix, seal="it has no seal", untracked=tuple(sizes))
    tags = await _manifest(store, prefix, SEAL_NAME)
    payload = await _manifest(store, prefix, MANIFEST_NAME) if MANIFEST_NAME in sizes else None
    sealed = (tags or {}) | (payload or {})
    present = {path: digest for path, digest in sealed.items() if path in sizes}
    changed = [
        path
        for path, digest in present.items()
        if await _sha256(store.open(prefix + path)) != digest
    ]
    return AuditReport(
        prefix=prefix,
        seal=_seal_problem(tags, payload),
        changed=tuple(changed),
        missing=tuple(path for path in sealed if path not in sizes),
        untracked=_untracked(sizes, sealed, judge_payload=payload is not None),
        files=len(present),
        bytes=sum(sizes[path] for path in present),
    )


async def _manifest(store: Store, prefix: str, name: str) -> dict[str, str] | None:
    data = await read_all(store, prefix + name)
    try:
        return read_manifest(data, prefix + name)
    except BadInput:
        return None


def _seal_problem(tags: Mapping[str, str] | None, payload: Mapping[str, str] | None) -> str:
    if tags is None:
        return "its seal cannot be read, so nothing vouches for its tag files"
    if payload is None:
        return "its manifest is gone or cannot be read, so nothing vouches for its payload"
    lacking = [name for name in TAG_NAMES if name not in tags]
    return f"its seal does not name {', '.join(lacking)}" if lacking else ""


def _untracked(
    sizes: Collection[str], sealed: Collection[str], *, judge_payload: bool
) -> tuple[str, ...]:
    return tuple(
        path
        for path in sizes
        if path not in sealed
        and path != SEAL_NAME
        and (judge_payload or not path.startswith(PAYLOAD_FOLDER))
    )


async def _sha256(chunks: AsyncIterable[bytes]) -> str:
    stream = HashingStream(chunks)
    async for _ in stream:
        pass
    return stream.sha256
