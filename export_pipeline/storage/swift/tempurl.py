"""URLs that Swift itself checks, signed with a key that it knows (Swift: "TempURL")."""

import asyncio
import hmac
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

from export_pipeline.errors import StoreError, StoreUnavailable
from export_pipeline.storage.http import Answer, Http
from export_pipeline.storage.swift.client import address
from export_pipeline.storage.swift.keystone import Keystone

DIGESTS = ("sha256", "sha1")
"""Those that we sign with, the better one first."""
OLD_DIGESTS = ("sha1",)
"""What a cluster takes that names none: it is older than the others (Swift: "TempURL")."""
WAIT_SECONDS = 10.0
"""Longest time that the first signature waits for Keystone and Swift."""
_VERSION = "/v1/"
"""With what a signed path begins (same page)."""


@dataclass(frozen=True)
class Ground:
    """What a signature stands on.

    Args:
        account: the account's URL, as others reach it.
        digest: one that the cluster takes.
    """

    account: str
    digest: str


class TempUrls:
    """Signs URLs of one account's objects; knows that account from the first signature on.

    Args:
        key: the account's or the container's.
        keystone: knows the account.
        http: sends.
    """

    def __init__(self, key: str, keystone: Keystone, http: Http) -> None:
        self._key = key.encode()
        self._keystone = keystone
        self._http = http
        self._ground: Ground | None = None

    def sign(self, verb: str, container: str, name: str, ends: int) -> str:
        """Return a URL for one object and one verb; the first call blocks, see `WAIT_SECONDS`.

        Args:
            ends: in seconds since the epoch.

        Raises:
            StoreError: see `Keystone.login`; or the cluster takes no signature of ours.
        """
        ground = self._ground = self._ground or self._asked()
        url = address(ground.account, container, name)
        return f"{url}?{signature(self._key, ground.digest, verb, url, ends)}"

    def _asked(self) -> Ground:
        # In a thread, as the caller may be in an event loop and cannot wait for another task.
        with ThreadPoolExecutor(1, "tempurl") as thread:
            return thread.submit(asyncio.run, self._ask()).result()

    async def _ask(self) -> Ground:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                login = await self._keystone.login()
                answer = await self._http.send("GET", info_url(login.url), {})
        except TimeoutError:
            raise StoreUnavailable(
                f"Keystone and Swift did not answer in {WAIT_SECONDS:g} seconds: no URL was signed"
            ) from None
        return Ground(login.public_url, choose_digest(_read_info(answer), login.url))


def info_url(account: str) -> str:
    """Return where a cluster says what it can do (Swift: "Discoverability").

    Args:
        account: the account's URL; Ceph's ends with the version.
    """
    return f"{f'{account}/'.partition(_VERSION)[0]}/info"


def _read_info(answer: Answer) -> Mapping[str, Any] | None:
    """Read what the cluster says that it can do; None if it says nothing."""
    if answer.status != HTTPStatus.OK:
        return None
    try:
        info = json.loads(answer.body)
    except ValueError:
        return None
    return info if isinstance(info, dict) else None


def choose_digest(info: Mapping[str, Any] | None, account: str) -> str:
    """Return the digest to sign with.

    Args:
        info: what the cluster says that it can do; None if it does not say.
        account: the account's URL, for the error.

    Raises:
        StoreError: it takes no signature of ours.
    """
    if info is None:
        return DIGESTS[0]
    allowed = info["tempurl"].get("allowed_digests", OLD_DIGESTS) if "tempurl" in info else ()
    for digest in DIGESTS:
        if digest in allowed:
            return digest
    raise StoreError(
        f"the Swift of {account} takes no TempURL signed with {' or '.join(DIGESTS)}: unset"
        " EXPORT_SWIFT_TEMPURL_KEY, so that vendors write through the receiver"
    )


def signature(key: bytes, digest: str, verb: str, url: str, ends: int) -> str:
    """Return the query that lets `verb` through to `url` until `ends`.

    Args:
        key: the account's or the container's.
        digest: of `DIGESTS`.
        url: of the object, percent-encoded.
        ends: in seconds since the epoch.
    """
    path = unquote(urlsplit(url).path)
    signed = path[path.index(_VERSION) :]
    made = hmac.new(key, f"{verb}\n{ends}\n{signed}".encode(), digest).hexdigest()
    return f"temp_url_sig={made}&temp_url_expires={ends}"
