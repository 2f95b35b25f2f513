"""What `check` tries on a store: each step by itself, so that the first to fail is named."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import aiohttp
from yarl import URL

from export_pipeline.errors import AlreadyExists, StoreError
from export_pipeline.storage.open import options_of
from export_pipeline.storage.store import CHUNK_BYTES, Store, StoredObject, UploadTarget, pieces

NO_CREATE_ONLY = (
    "this store does not enforce create-only: vendors write through the receiver alone, and whoever"
    " writes holds a lease in the ledger and looks first"
)
"""What `check` and `status` say of a store that is set up so."""
PROBE_FOLDER = ".check/"
URL_SECONDS = 300.0
"""Life of the URL by which the probe itself uploads."""
ANSWER_SECONDS = 60.0
CAUTION = "caution"
"""Name of a step that tried nothing: it tells what makes the store less safe."""
_OURS = b"export-pipeline check\n"
_OTHER = b"other bytes\n"


@dataclass(frozen=True)
class Step:
    """One thing that was tried; `ok` is None if this store does not offer it."""

    name: str
    ok: bool | None
    words: str


async def probe(store: Store, token: str = "", *, order_seconds: float = URL_SECONDS) -> list[Step]:
    """Write, read, sign, upload and delete small objects; end at the first step that fails.

    Second writes, ours and by signed URL, prove whether the store keeps what it has: by each call
    of its own that makes an object visible (`Capabilities.part_bytes`), since a look-alike may heed
    the condition in one and not in another. A store that is set up as one that keeps nothing is
    only looked at first, and no vendor gets a signed URL.

    Args:
        store: what is tried.
        token: names the objects; empty: a new one.
        order_seconds: how long a URL must live by which a vendor uploads.
    """
    key = PROBE_FOLDER + (token or secrets.token_hex(8))
    steps = [Step(CAUTION, ok=None, words=words) for words in store.capabilities.cautions]
    for name, attempt in _attempts(store, order_seconds).items():
        steps.append(await _tried(name, attempt, store, key))
        if not steps[-1].ok:
            break
    return [*steps, await _tried("delete", _delete, store, key)]


async def _tried(
    name: str, attempt: Callable[[Store, str], Awaitable[str]], store: Store, key: str
) -> Step:
    try:
        return Step(name, ok=True, words=await attempt(store, key))
    except _NotOfferedError as missing:
        return Step(name, ok=None, words=str(missing))
    except StoreError as error:
        return Step(name, ok=False, words=str(error))


class _NotOfferedError(Exception):
    """The store has no such thing, and need not."""


async def _write(store: Store, key: str) -> str:
    await store.put(key, pieces(_OURS))
    return f"a small object below {store.url}/{PROBE_FOLDER}"


async def _read(store: Store, key: str) -> str:
    await _require(store, key, "it gives back other bytes than were written")
    return "the same bytes"


async def _write_again(store: Store, key: str) -> str:
    await _require_refusal(store, key, "a second write", store.put(key, pieces(_OTHER)))
    if not store.capabilities.create_only:
        raise _NotOfferedError(NO_CREATE_ONLY)
    return "a second write is refused"


async def _copy_over(store: Store, key: str) -> str:
    await store.put(_other(key), pieces(_OTHER))
    await _require_refusal(store, key, "a copy onto it", store.copy(_other(key), key))
    return "a copy onto an object is refused"


async def _write_parts_over(store: Store, key: str) -> str:
    size = store.capabilities.part_bytes + 1
    whole, rest = divmod(size, CHUNK_BYTES)
    large = pieces([bytes(CHUNK_BYTES)] * whole + [bytes(rest)])
    await _require_refusal(store, key, "a write in parts", store.put(key, large))
    return f"a second write is refused of {size} bytes too, which go in parts"


async def _sign(seconds: float, store: Store, key: str) -> str:
    if await _target(store, key, seconds) is None:
        raise _NotOfferedError("it signs no uploads: vendors write through the receiver")
    return f"an upload URL was signed for the {seconds:g} seconds that an order may take"


async def _upload(store: Store, key: str) -> str:
    status = await _send(store, key, _OURS)
    if status not in {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT}:
        raise StoreError(f"{store.url}: it answers {status} to an upload by its own signed URL")
    await _require(store, _signed(key), "what was uploaded by signed URL is not there")
    return "the same bytes arrived by the signed URL"


async def _upload_again(store: Store, key: str) -> str:
    status = await _send(store, key, _OTHER)
    problem = _overwrites(store, "by signed URL, a second write")
    await _require(store, _signed(key), problem)
    return f"a second upload by the signed URL is refused ({status})"


async def _delete(store: Store, key: str) -> str:
    for one in (key, _other(key), _signed(key)):
        await store.delete(one)
    return "nothing is left of it"


async def _require(store: Store, key: str, problem: str) -> None:
    if b"".join([chunk async for chunk in store.open(key)]) != _OURS:
        raise StoreError(f"{store.url}: {problem}")


async def _require_refusal(
    store: Store, key: str, what: str, writing: Awaitable[StoredObject]
) -> None:
    try:
        await writing
    except AlreadyExists:
        await _require(store, key, f"it refused {what} and changed the object all the same")
    else:
        raise StoreError(f"{store.url}: {_overwrites(store, what)}")


async def _target(store: Store, key: str, seconds: float) -> UploadTarget | None:
    # Beside the event loop: credentials may have to be fetched first.
    return await asyncio.to_thread(store.sign_upload, _signed(key), seconds=seconds)


async def _send(store: Store, key: str, data: bytes) -> int:
    target = await _target(store, key, URL_SECONDS)
    if target is None:
        raise StoreError(f"{store.url}: it signed an upload once and now does not")
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ANSWER_SECONDS)) as session,
            session.request(
                target.verb,
                URL(target.url, encoded=True),
                headers=dict(target.headers),
                data=data,
                skip_auto_headers=("Content-Type",),
                allow_redirects=False,
            ) as response,
        ):
            return response.status
    except (aiohttp.ClientError, TimeoutError) as error:
        raise StoreError(
            f"{store.url}: its signed URL gets no answer ({type(error).__name__})"
        ) from None


def _signed(key: str) -> str:
    return f"{key}-signed"


def _other(key: str) -> str:
    return f"{key}-other"


def _overwrites(store: Store, what: str) -> str:
    model = options_of(store.url)
    names = [field.alias or "" for field in model.model_fields.values()] if model else []
    said = [f"say so with {name}=false, or" for name in names if name.endswith("_CREATE_ONLY")]
    return " ".join([f"{what} replaces an object:", *said, "use a store that enforces create-only"])


def _attempts(
    store: Store, order_seconds: float
) -> Mapping[str, Callable[[Store, str], Awaitable[str]]]:
    in_parts = {"create-only by copy": _copy_over, "create-only in parts": _write_parts_over}
    return {
        "write": _write,
        "read back": _read,
        "create-only": _write_again,
        **(in_parts if store.capabilities.part_bytes else {}),
        "sign": partial(_sign, order_seconds),
        "signed upload": _upload,
        "create-only by signed URL": _upload_again,
    }
