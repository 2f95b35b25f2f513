"""What a sealed bag tells of itself without its payload: tag files that its seal vouches for."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from export_pipeline.archive.bag import read_all
from export_pipeline.archive.layout import PAYLOAD_FOLDER, SEAL_NAME
from export_pipeline.archive.tags import MANIFEST_NAME, PROVENANCE_NAME, read_manifest
from export_pipeline.errors import BadInput, NotFound
from export_pipeline.storage.store import Store


@dataclass(frozen=True)
class SealedTags:
    """Tag files that are as they were sealed.

    Args:
        seal_sha256: of the seal itself.
        payload: path below `data/` -> sha256, of the manifest.
        provenance: the bytes of `provenance.json`.
    """

    seal_sha256: str
    payload: Mapping[str, str]
    provenance: bytes


async def read_sealed(store: Store, prefix: str) -> SealedTags:
    """Read the tag files of the sealed bag at `prefix`.

    Raises:
        BadInput: one is missing, changed since it was sealed, or cannot be read; names it.
        StoreError: the store failed.
    """
    names = (SEAL_NAME, MANIFEST_NAME, PROVENANCE_NAME)
    seal, manifest, provenance = await asyncio.gather(
        *(_read(store, prefix + one) for one in names)
    )
    digests = read_manifest(seal, SEAL_NAME)
    for name, data in ((MANIFEST_NAME, manifest), (PROVENANCE_NAME, provenance)):
        if digests.get(name) != _sha256(data):
            raise BadInput(f"{name} is not what was sealed")
    return SealedTags(
        seal_sha256=_sha256(seal),
        payload={
            path.removeprefix(PAYLOAD_FOLDER): digest
            for path, digest in read_manifest(manifest, MANIFEST_NAME).items()
        },
        provenance=provenance,
    )


async def _read(store: Store, key: str) -> bytes:
    try:
        return await read_all(store, key)
    except NotFound:
        raise BadInput(f"{key.rpartition('/')[-1]} is missing") from None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
