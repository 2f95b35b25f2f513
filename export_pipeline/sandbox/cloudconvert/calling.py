"""Calls that CloudConvert makes itself: for files to import, to stores, and to webhooks."""

import mimetypes
from collections.abc import Mapping
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

CALLS_IN_FLIGHT = 64
ANSWER_SECONDS = 60
TOLD_BYTES = 200
SUCCESS_CLASS = 2


class CallError(Exception):
    """Why a file could not be had or stored; the text is what the vendor says of it."""


class Answer(NamedTuple):
    """What a call was answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def require_success(self, what: str) -> None:
        """Raise CallError naming `what` did not go well, unless this is a 2xx."""
        if self.status // 100 != SUCCESS_CLASS:
            text = self.body[:TOLD_BYTES].decode("utf-8", "replace")
            raise CallError(f"{what} was answered {self.status}: {text}")


def open_session() -> aiohttp.ClientSession:
    """A session for all calls; made inside the event loop and closed by its owner."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CALLS_IN_FLIGHT),
        timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "CloudConvert"},
    )


async def call(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    data: bytes | Mapping[str, str] | None = None,
    json: Any = None,
    follows: bool = False,
) -> Answer:
    """The answer, whatever it is; raises CallError if none came. Redirects are an answer too."""
    try:
        async with session.request(
            method,
            # A signed URL must go out byte for byte as it came.
            URL(url, encoded=True),
            headers=headers,
            data=data,
            json=json,
            allow_redirects=follows,
        ) as response:
            return Answer(response.status, response.headers, await response.read())
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise CallError(f"the server did not answer: {type(error).__name__}") from error


def media_type(filename: str) -> str:
    """The media type by which a file is stored and served."""
    return mimetypes.guess_type(filename)[0] or "application/octet-stream"
