"""The bag: one generation of a scan, sealed (BagIt 1.0, RFC 8493)."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from export_pipeline.archive.layout import PAYLOAD_FOLDER, SEAL_NAME, prefix_of, seal_key
from export_pipeline.archive.tags import (
    DECLARATION,
    DECLARATION_NAME,
    INFO_NAME,
    MANIFEST_NAME,
    PROVENANCE_NAME,
    Info,
    read_info,
    read_manifest,
    write_info,
    write_manifest,
)
from export_pipeline.errors import AlreadyExists, BadInput, StoreError
from export_pipeline.storage.store import Store, StoredObject, pieces
from export_pipeline.transfer.concurrency import all_of

TAG_NAMES = (DECLARATION_NAME, INFO_NAME, MANIFEST_NAME, PROVENANCE_NAME)
"""The tag files that every sealed bag has, beside the seal."""
_SHOWN_BYTES = 120


@dataclass(frozen=True)
class PayloadFile:
    """One verified artifact file: its path below `data/`, size in bytes, sha256 in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Bag:
    """A sealed bag: how many payload files and bytes, and the sha256 of the seal itself."""

    prefix: str
    files: int
    bytes: int
    seal_sha256: str


@dataclass(frozen=True)
class BagContents:
    """What a bag says of itself.

    Args:
        prefix: its folder in the store.
        sealed: whether its seal is there; if not, the other fields are empty.
        info: label -> values of bag-info.
        payload: path below `data/` -> sha256, of the manifest.
        provenance: what `provenance.json` holds.
    """

    prefix: str
    sealed: bool
    info: Mapping[str, tuple[str, ...]]
    payload: Mapping[str, str]
    provenance: Mapping[str, object]


@dataclass(frozen=True)
class BagListing:
    """The objects of one bag as the store lists them: path below the bag -> size in bytes."""

    prefix: str
    sizes: Mapping[str, int]

    @property
    def sealed(self) -> bool:
        """Whether its seal is there."""
        return SEAL_NAME in self.sizes


async def seal(
    store: Store, prefix: str, payload: Sequence[PayloadFile], info: Info, provenance: bytes
) -> Bag:
    """Write the tag files of the bag at `prefix`, the seal last.

    What is written follows from the arguments alone and nothing is ever overwritten, so a seal
    that was interrupted is finished by the same call again.

    Args:
        store: where the payload is already, verified.
        prefix: see `layout.bag_prefix`.
        payload: the artifact files; none is legal.
        info: bag-info beside `Payload-Oxum`, in this order; `Export-Missing` makes it partial.
        provenance: the bytes of `provenance.json`.

    Raises:
        BadInput: two payload files have one name.
        StoreError: a tag file of other content is there, or the store failed.
    """
    if len({file.name for file in payload}) != len(payload):
        raise BadInput(f"{prefix}: two payload files have the same name; seal each once")
    tags = _tags(payload, info, provenance)
    await all_of(*(_put_same(store, prefix + name, data) for name, data in tags.items()))
    manifest = write_manifest({name: _sha256(data) for name, data in tags.items()})
    await _put_same(store, seal_key(prefix), manifest)
    return Bag(prefix, len(payload), sum(file.size for file in payload), _sha256(manifest))


def _tags(payload: Sequence[PayloadFile], info: Info, provenance: bytes) -> dict[str, bytes]:
    oxum = f"{sum(file.size for file in payload)}.{len(payload)}"
    digests = {PAYLOAD_FOLDER + file.name: file.sha256 for file in payload}
    return {
        DECLARATION_NAME: DECLARATION,
        INFO_NAME: write_info({**info, "Payload-Oxum": oxum}),
        MANIFEST_NAME: write_manifest(digests),
        PROVENANCE_NAME: provenance,
    }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def _put_same(store: Store, key: str, data: bytes) -> None:
    try:
        await store.put(key, pieces(data), content_type="text/plain; charset=utf-8")
    except AlreadyExists:
        found = await read_all(store, key)
        if found != data:
            difference = _first_difference(found, data)
            raise StoreError(f"{key!r} is in {store.url} otherwise: {difference}") from None


def _first_difference(found: bytes, wanted: bytes) -> str:
    lines = zip_longest(found.splitlines(), wanted.splitlines())
    for number, (there, ours) in enumerate(lines, 1):
        if there != ours:
            return f"line {number} is {_shown(there)} there and {_shown(ours)} in this seal"
    return "only its line ends differ"


def _shown(line: bytes | None) -> str:
    if line is None:
        return "absent"
    return repr(line[:_SHOWN_BYTES].decode("utf-8", "replace"))


async def read_all(store: Store, key: str) -> bytes:
    """Return the bytes of a small object.

    Raises:
        NotFound: there is no such object.
    """
    return b"".join([chunk async for chunk in store.open(key)])


async def read_bag(store: Store, prefix: str) -> BagContents:
    """Read what the bag says of itself, without its payload.

    Raises:
        NotFound: a tag file of a sealed bag is missing.
        BadInput: one is not what was once sealed.
    """
    if await store.stat(seal_key(prefix)) is None:
        return BagContents(prefix, sealed=False, info={}, payload={}, provenance={})
    info = await read_all(store, prefix + INFO_NAME)
    manifest = read_manifest(await read_all(store, prefix + MANIFEST_NAME), prefix + MANIFEST_NAME)
    return BagContents(
        prefix=prefix,
        sealed=True,
        info=read_info(info, prefix + INFO_NAME),
        payload={path.removeprefix(PAYLOAD_FOLDER): digest for path, digest in manifest.items()},
        provenance=_read_provenance(await read_all(store, prefix + PROVENANCE_NAME), prefix),
    )


def _read_provenance(data: bytes, prefix: str) -> Mapping[str, object]:
    try:
        provenance = json.loads(data)
    except ValueError as error:
        raise BadInput(f"{prefix}{PROVENANCE_NAME} is not JSON: {error}") from None
    if not isinstance(provenance, dict):
        raise BadInput(f"{prefix}{PROVENANCE_NAME} is not a JSON object")
    return provenance


async def bags(store: Store, prefix: str = "") -> AsyncIterator[BagListing]:
    """Every folder of a bag whose keys begin with `prefix`, sealed or not, in order of key."""
    current: str | None = None
    objects: list[StoredObject] = []
    async for found in store.list(prefix):
        if prefix_of(found.key) != current:
            if current:
                yield _listing(current, objects)
            current, objects = prefix_of(found.key), []
        objects.append(found)
    if current:
        yield _listing(current, objects)


def _listing(prefix: str, objects: Sequence[StoredObject]) -> BagListing:
    return BagListing(prefix, {found.key.removeprefix(prefix): found.size for found in objects})
