"""The audit of one bag: every byte reread against what was sealed."""

import hashlib
import json
from collections.abc import AsyncIterable, Collection, Iterator, Mapping
from dataclasses import dataclass

from export_pipeline.archive.bag import TAG_NAMES, read_all
from export_pipeline.archive.layout import PAYLOAD_FOLDER, SEAL_NAME
from export_pipeline.archive.signature import NO_KEYS, SIGNATURE_NAME, Keys, signer
from export_pipeline.archive.tags import INFO_NAME, MANIFEST_NAME, PROVENANCE_NAME, read_manifest
from export_pipeline.errors import BadInput
from export_pipeline.storage.hashing import HashingStream
from export_pipeline.storage.store import Store

CHANGED = "changed since it was sealed"
MISSING = "was sealed and is missing"


@dataclass(frozen=True)
class AuditReport:
    """What rereading a bag showed; paths are below the bag's folder.

    Args:
        prefix: the bag's folder in the store.
        seal: why the seal does not vouch for the bag; "" if it does.
        changed: files whose bytes are not those sealed.
        missing: files that were sealed and are gone.
        untracked: files in the folder that were not sealed.
        files: how many were judged, beside the seal.
        bytes: how many bytes they had.
        seal_sha256: digest of the seal as it is, "" without one.
        unread: why the store could not show the bag, which says nothing about it; "" if it could.
    """

    prefix: str
    seal: str = ""
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0
    seal_sha256: str = ""
    unread: str = ""

    @property
    def passed(self) -> bool:
        """Whether the bag is exactly as it was sealed."""
        return not self.problems

    @property
    def damage(self) -> tuple[str, ...]:
        """What is wrong with the bag, a sentence each, naming bag and file."""
        return (
            *([f"{self.prefix}: {self.seal}"] if self.seal else []),
            *(f"{self.prefix}{path} {CHANGED}" for path in self.changed),
            *(f"{self.prefix}{path} {MISSING}" for path in self.missing),
            *(f"{self.prefix}{path} is there and was never sealed" for path in self.untracked),
        )

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the bag cannot be called whole: its damage, or that it could not be read."""
        return (*([f"{self.prefix}: {self.unread}"] if self.unread else []), *self.damage)


async def audit(
    store: Store, prefix: str, keys: Keys = NO_KEYS, *, trusted_seal: str = ""
) -> AuditReport:
    """Reread the bag at `prefix`, one piece in memory at a time.

    Args:
        store: where it lies.
        prefix: its folder.
        keys: by which its signature is judged, if its bag-info says that it has one.
        trusted_seal: if the seal has this sha256, a file is taken for unchanged while the store's
            own checksum of it is the one noted at sealing; "": all are reread.

    Raises:
        StoreError: the store failed; damage to the bag is in the report instead.
    """
    sizes = {found.key.removeprefix(prefix): found.size async for found in store.list(prefix)}
    if SEAL_NAME not in sizes:
        return AuditReport(prefix, seal=_unsealed(sizes))
    tags = {
        name: await read_all(store, prefix + name)
        for name in (SEAL_NAME, SIGNATURE_NAME, *TAG_NAMES)
        if name in sizes
    }
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in tags.items()}
    tagged, payload = _manifest(tags, SEAL_NAME), _manifest(tags, MANIFEST_NAME)
    sealed = (tagged or {}) | (payload or {})
    noted = _noted_checksums(tags, sealed) if digests[SEAL_NAME] == trusted_seal else {}

    async def is_unchanged(path: str) -> bool:
        if path in noted:
            found = await store.stat(prefix + path)
            if found is not None and found.checksum == noted[path]:
                return True
        digest = digests.get(path) or await _sha256(store.open(prefix + path))
        return digest == sealed[path]

    present = [path for path in sealed if path in sizes]
    return AuditReport(
        prefix=prefix,
        seal="; ".join(_seal_problems(tags, tagged, payload, keys)),
        changed=tuple([path for path in present if not await is_unchanged(path)]),
        missing=tuple(path for path in sealed if path not in sizes),
        untracked=_untracked(sizes, sealed, judge_payload=payload is not None),
        files=len(present),
        bytes=sum(sizes[path] for path in present),
        seal_sha256=digests[SEAL_NAME],
    )


def _unsealed(sizes: Collection[str]) -> str:
    return "it has no seal" if sizes else "nothing of it is in the store"


def _manifest(tags: Mapping[str, bytes], name: str) -> dict[str, str] | None:
    try:
        return read_manifest(tags[name], name)
    except (BadInput, KeyError):
        return None


def _seal_problems(
    tags: Mapping[str, bytes],
    tagged: Mapping[str, str] | None,
    payload: Mapping[str, str] | None,
    keys: Keys,
) -> Iterator[str]:
    if tagged is None:
        yield "its seal cannot be read, so nothing vouches for its tag files"
    elif lacking := [name for name in TAG_NAMES if name not in tagged]:
        yield f"its seal does not name {', '.join(lacking)}"
    if payload is None:
        yield "its manifest is gone or cannot be read, so nothing vouches for its payload"
    named = signer(tags.get(INFO_NAME, b""))
    if problem := keys.problem(named, tags.get(SIGNATURE_NAME), tags[SEAL_NAME]):
        yield problem


def _noted_checksums(tags: Mapping[str, bytes], sealed: Mapping[str, str]) -> dict[str, str]:
    """Path -> the store's own checksum, of a provenance that is as it was sealed."""
    provenance = tags.get(PROVENANCE_NAME, b"")
    if hashlib.sha256(provenance).hexdigest() != sealed.get(PROVENANCE_NAME):
        return {}
    return {
        path: str(one["store_checksum"])
        for one in json.loads(provenance)["artifacts"]
        if one["store_checksum"]
        and one["sha256"] == sealed.get(path := f"{PAYLOAD_FOLDER}{one['name']}")
    }


def _untracked(
    sizes: Collection[str], sealed: Collection[str], *, judge_payload: bool
) -> tuple[str, ...]:
    return tuple(
        path
        for path in sizes
        if path not in sealed
        and path not in (SEAL_NAME, SIGNATURE_NAME)
        and (judge_payload or not path.startswith(PAYLOAD_FOLDER))
    )


async def _sha256(chunks: AsyncIterable[bytes]) -> str:
    stream = HashingStream(chunks)
    async for _ in stream:
        pass
    return stream.sha256
