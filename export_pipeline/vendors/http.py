"""What the clients of all vendors share: the HTTP client, one call, and what its failure means."""

import asyncio
import json
import logging
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from export_pipeline.errors import (
    AuthenticationFailed,
    ConfigError,
    DuplicateOrder,
    OrderRefused,
    RateLimited,
    ResultLost,
    ScanGone,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.vendors.redaction import redact
from export_pipeline.vendors.retry_after import retry_after_seconds
from export_pipeline.vendors.transport import Transport

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 30.0
"""The longest silence in the middle of a call."""
CALL_SECONDS = 60.0
"""The longest that one whole call may take, however steadily its bytes trickle."""
ANSWER_BYTES = 1 << 20
"""What is read of an answer; the vendors' documented answers to calls are far smaller."""
SAID_CHARACTERS = 400
"""What an error repeats of the vendor's own text."""
REQUEST_ID_CHARACTERS = 128
USER_AGENT = "export-pipeline"

_REQUEST_ID_HEADERS = ("X-Request-Id", "X-RequestId", "Request-Id", "X-Correlation-Id")
_TRANSIENT = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})

AnyVendorError = TypeVar("AnyVendorError", bound=VendorError)

_WHAT_TO_DO: dict[type[VendorError], str] = {
    RateLimited: "the account pauses, then goes on by itself",
    VendorUnavailable: "it is tried again by itself",
    AuthenticationFailed: "correct the account's credentials, then run `export-pipeline check`",
    OrderRefused: "see what the vendor names",
    DuplicateOrder: "the vendor has this id already: an earlier send arrived",
    ResultLost: "it is ordered again by itself",
    ScanGone: "the vendor has no such scan (any more): nothing of it can be exported",
}


@dataclass(frozen=True)
class Call:
    """One call to a vendor, as its errors name it.

    Args:
        vendor: the vendor's name.
        account: the account's short name.
        doing: what the call does, as the subject of a sentence: `the export`.
        scan: the vendor's own scan id, None if the call is about no scan.
        secrets: everything sent with it that no error may repeat.
        again: what to do about a failure that passes; "" if it is tried again by itself.
        advice: what to do about a failure of a kind, where there is more to say of this vendor.
        request_id: of the answer on which the call goes on; named where its own names none.
    """

    vendor: str
    account: str
    doing: str
    scan: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    again: str = ""
    advice: Mapping[type[VendorError], str] = field(default_factory=dict)
    request_id: str | None = None

    def what_to_do(self, kind: type[VendorError]) -> str:
        """What a person should do about such a failure, or that nothing need be done."""
        if self.again and kind.transient:
            return self.again
        return self.advice.get(kind) or _WHAT_TO_DO[kind]

    def error(
        self,
        kind: type[AnyVendorError],
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
    ) -> AnyVendorError:
        """The error to raise, its text free of this call's secrets."""
        named = request_id or self.request_id
        return kind(
            redact(f"{self.doing}: {message}", self.secrets),
            vendor=self.vendor,
            account=self.account,
            scan=self.scan,
            status=status,
            request_id=None if named is None else redact(named, self.secrets),
        )


@dataclass(frozen=True)
class Answer:
    """A vendor's answer, as much of it as was to be read, without a trace of the request."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        """Whether it is a 2xx."""
        return HTTPStatus(200) <= self.status < HTTPStatus(300)

    @property
    def is_page(self) -> bool:
        """Whether it is HTML: no API answers so, a proxy or a wrong address does."""
        content_type = str(self.headers.get("Content-Type", ""))
        return content_type.strip().lower().startswith("text/html")

    @property
    def json(self) -> Any:
        """The body's JSON value, None if it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def request_id(self) -> str | None:
        """The vendor's id of this request: a header, ProblemDetails' or HookBridge's own."""
        found = [self.headers.get(name) for name in _REQUEST_ID_HEADERS]
        body = self.json
        if isinstance(body, dict):
            meta = body.get("meta")
            found.append(str(body.get("traceId") or ""))
            found.append(str(meta.get("request_id") or "") if isinstance(meta, dict) else "")
        known = next((text.strip() for text in found if text and text.strip()), None)
        return None if known is None else known[:REQUEST_ID_CHARACTERS]


def make_client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """An HTTP client that waits for nothing for ever, keeps no cookies, follows no redirect."""
    for name in ("httpx", "httpcore"):
        # Below WARNING they log whole URLs and headers.
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx.AsyncClient(
        transport=transport or Transport(),
        timeout=httpx.Timeout(IDLE_SECONDS, connect=CONNECT_SECONDS),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        follow_redirects=False,
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
    )


async def send(
    client: httpx.AsyncClient,
    call: Call,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | AsyncIterable[bytes] | None = None,
    hold_seconds: float = 0.0,
    answer_bytes: int = ANSWER_BYTES,
) -> Answer:
    """Send one request and return whatever is answered; the account's pacing is done already.

    Args:
        client: see `make_client`.
        call: what it is, for the errors.
        method: the HTTP method.
        url: whole.
        headers: beside those of the client.
        content: the body; one that comes in pieces may take as long as it goes on, since the time
            for the call counts anew with each.
        hold_seconds: how long the vendor may work or hold its answer (a long poll) before a word.
        answer_bytes: what is read of the answer; more is cut off.

    Raises:
        VendorUnavailable: no answer came.
        ConfigError: the vendor's address is not an HTTP address.
    """
    problem: Exception
    seconds = CALL_SECONDS + hold_seconds
    idle = httpx.Timeout(IDLE_SECONDS + hold_seconds, connect=CONNECT_SECONDS)
    try:
        async with asyncio.timeout(seconds) as limit:
            body = content
            if isinstance(content, AsyncIterable):
                body = _going_on(content, limit, seconds)
            request = client.build_request(method, url, headers=headers, content=body, timeout=idle)
            return await _exchange(client, request, answer_bytes)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        problem = ConfigError(
            f"{call.vendor}: its address is not an http or https URL: correct it in the settings"
        )
    except (httpx.RequestError, TimeoutError) as error:
        text = f"no answer, {_in_words(error)}; {call.what_to_do(VendorUnavailable)}"
        problem = call.error(VendorUnavailable, text)
    # Raised out here the error has no context: httpx's own exceptions hold the request's headers.
    raise problem


async def _going_on(
    content: AsyncIterable[bytes], limit: asyncio.Timeout, seconds: float
) -> AsyncIterator[bytes]:
    async for piece in content:
        if not limit.expired():
            limit.reschedule(asyncio.get_running_loop().time() + seconds)
        yield piece


async def _exchange(client: httpx.AsyncClient, request: httpx.Request, limit: int) -> Answer:
    response = await client.send(request, stream=True)
    body = bytearray()
    try:
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) >= limit:
                break
    finally:
        await response.aclose()
    return Answer(response.status_code, response.headers, bytes(body[:limit]))


def _in_words(error: httpx.RequestError | TimeoutError) -> str:
    match error:
        case httpx.ConnectTimeout():
            return f"no connection within {CONNECT_SECONDS:.0f} s"
        case httpx.ConnectError() if "certificate" in str(error).lower():
            return f"its TLS certificate does not verify ({error}): check clock and CA certificates"
        case httpx.ConnectError():
            return f"no connection ({error})"
        case httpx.TimeoutException() | TimeoutError():
            return "it took too long"
    # The texts of other errors may quote what was sent.
    return f"the connection broke ({type(error).__name__})"


def classify(answer: Answer) -> type[VendorError]:
    """What an answer that is no success means for an order, where the vendor says nothing else."""
    status = answer.status
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return AuthenticationFailed
    is_refusal = HTTPStatus(400) <= status < HTTPStatus(500)
    if answer.is_page or status in _TRANSIENT or not is_refusal:
        return VendorUnavailable
    if status == HTTPStatus.CONFLICT:
        return DuplicateOrder
    return ScanGone if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) else OrderRefused


def failure(
    call: Call,
    answer: Answer,
    *,
    said: str,
    now: float,
    kind: type[VendorError] | None = None,
) -> VendorError:
    """The error that an answer means; `kind` overrides `classify`.

    Args:
        call: what was asked.
        answer: what came.
        said: the vendor's own words in it.
        now: seconds since the epoch.
        kind: the error's class where the call knows better.
    """
    chosen = kind or classify(answer)
    # First redacted, then cut: half a secret would no longer be recognised.
    words = " ".join(redact(said, call.secrets).split())[:SAID_CHARACTERS]
    facts = [f'the vendor said "{words}"'] if words else ["refused without a word"]
    if answer.is_page:
        facts.append("a web page and not the API answered: check the vendor's address")
    if location := answer.headers.get("Location"):
        facts.append(f"a redirect to {urlsplit(location).hostname} is not followed")
    error = call.error(
        chosen,
        "; ".join([*facts, call.what_to_do(chosen)]),
        status=answer.status,
        request_id=answer.request_id,
    )
    if isinstance(error, RateLimited | VendorUnavailable):
        error.retry_after = retry_after_seconds(answer.headers.get("Retry-After"), now=now)
    return error
