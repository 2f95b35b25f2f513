"""The bag: one generation of a scan, sealed (BagIt 1.0, RFC 8493)."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from export_pipeline.archive.layout import PAYLOAD_FOLDER, SEAL_NAME, prefix_of, seal_key
from export_pipeline.archive.signature import KEY_LABEL, NO_KEYS, SIGNATURE_NAME, Keys, signer
from export_pipeline.archive.tags import (
    DECLARATION,
    DECLARATION_NAME,
    INFO_NAME,
    MANIFEST_NAME,
    PROVENANCE_NAME,
    Info,
    write_info,
    write_manifest,
)
from export_pipeline.concurrency import all_of
from export_pipeline.errors import AlreadyExists, BadInput, NotFound, StoreError
from export_pipeline.storage.store import Store, StoredObject, pieces

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
class BagListing:
    """The objects of one bag as the store lists them: path below the bag -> size in bytes."""

    prefix: str
    sizes: Mapping[str, int]

    @property
    def sealed(self) -> bool:
        """Whether its seal is there."""
        return SEAL_NAME in self.sizes


class _OtherContent(StoreError):
    """A tag file is there with other content."""


async def seal(
    store: Store,
    prefix: str,
    payload: Sequence[PayloadFile],
    info: Info,
    provenance: bytes,
    keys: Keys = NO_KEYS,
) -> Bag:
    """Write the tag files of the bag at `prefix`, then its signature if a key signs, last the seal.

    What is written follows from the arguments alone (of the signature by RFC 8032 part 5.1.6) and
    no sealed byte is ever overwritten, so a seal that was interrupted is finished by the same call
    again. If the signing key was changed in between, what the former one signed is sealed so, if
    its public half is known, and what was begun unsigned is sealed unsigned: a write of the former
    process that arrives late then changes nothing. What a former key had only begun is written
    anew; if its process stood still for longer than its lease and goes on just then, it may leave a
    signature or a seal that does not fit, and the bag is reported as damaged.

    Args:
        store: where the payload is already, verified.
        prefix: see `layout.bag_prefix`.
        payload: the artifact files; none is legal.
        info: bag-info beside `Payload-Oxum`, in this order; `Export-Missing` makes it partial.
        provenance: the bytes of `provenance.json`.
        keys: of which one may sign.

    Raises:
        BadInput: two payload files have one name.
        StoreError: a tag file of other content is there, or the store failed.
    """
    if len({file.name for file in payload}) != len(payload):
        raise BadInput(f"{prefix}: two payload files have the same name; seal each once")
    try:
        return await _write(store, prefix, payload, info, provenance, keys.signing_id, keys.signing)
    except _OtherContent:
        found = await read_all(store, prefix + INFO_NAME)
        former = signer(found)
        if former == keys.signing_id:
            raise
    tags, manifest = _tags(payload, info, provenance, former)
    problem = keys.problem(former, await _signature(store, prefix), manifest)
    lacks_only_seal = found == tags[INFO_NAME] and not problem
    if lacks_only_seal or await store.stat(seal_key(prefix)) is not None:
        return await _write(store, prefix, payload, info, provenance, former, None)
    # The bag-info last: while it is there, a crash between leaves what is known as another key's.
    for name in (SIGNATURE_NAME, INFO_NAME):
        await store.delete(prefix + name)
    return await _write(store, prefix, payload, info, provenance, keys.signing_id, keys.signing)


async def _write(
    store: Store,
    prefix: str,
    payload: Sequence[PayloadFile],
    info: Info,
    provenance: bytes,
    signing_id: str,
    signing: Ed25519PrivateKey | None,
) -> Bag:
    tags, manifest = _tags(payload, info, provenance, signing_id)
    await all_of(*(_put_same(store, prefix + name, data) for name, data in tags.items()))
    if signing is not None:
        await _sign(store, prefix, signing.sign(manifest))
    await _put_same(store, seal_key(prefix), manifest)
    return Bag(prefix, len(payload), sum(file.size for file in payload), _sha256(manifest))


async def _sign(store: Store, prefix: str, signature: bytes) -> None:
    """Write the signature, in place of one that arrived after its key had lost the bag.

    No store deletes an object on the condition that it is as it was read. So of two sealers with
    one key that both meet such a signature, the slower may delete what the faster has put in its
    place: it writes the same again, and only if it dies in between, the bag is sealed without a
    signature and reported as damaged.
    """
    key = prefix + SIGNATURE_NAME
    try:
        await _put_same(store, key, signature)
    except _OtherContent:
        if await store.stat(seal_key(prefix)) is not None:
            raise
        await store.delete(key)
        await _put_same(store, key, signature)


async def _signature(store: Store, prefix: str) -> bytes | None:
    try:
        return await read_all(store, prefix + SIGNATURE_NAME)
    except NotFound:
        return None


def _tags(
    payload: Sequence[PayloadFile], info: Info, provenance: bytes, signing_id: str
) -> tuple[dict[str, bytes], bytes]:
    """The tag files of a bag that this key signs, "" for none, and their manifest: the seal."""
    signed = {KEY_LABEL: signing_id} if signing_id else {}
    oxum = f"{sum(file.size for file in payload)}.{len(payload)}"
    digests = {PAYLOAD_FOLDER + file.name: file.sha256 for file in payload}
    tags = {
        DECLARATION_NAME: DECLARATION,
        INFO_NAME: write_info({**info, **signed, "Payload-Oxum": oxum}),
        MANIFEST_NAME: write_manifest(digests),
        PROVENANCE_NAME: provenance,
    }
    return tags, write_manifest({name: _sha256(data) for name, data in tags.items()})


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def _put_same(store: Store, key: str, data: bytes) -> None:
    content_type = "text/plain; charset=utf-8"
    if key.endswith(SIGNATURE_NAME):
        content_type = "application/octet-stream"
    try:
        await store.put(key, pieces(data), content_type=content_type)
    except AlreadyExists:
        found = await read_all(store, key)
        if found != data:
            difference = _first_difference(found, data)
            raise _OtherContent(f"{key!r} is in {store.url} otherwise: {difference}") from None


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
