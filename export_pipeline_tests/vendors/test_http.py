import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx
import pytest

from export_pipeline.errors import (
    ConfigError,
    RateLimited,
    ScanGone,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.vendors.http import (
    ANSWER_BYTES,
    CALL_SECONDS,
    SAID_CHARACTERS,
    USER_AGENT,
    Answer,
    Call,
    failure,
    make_client,
    send,
)

CALL = Call("copyleaks", "default", "the export", "essay-1", ("the-secret-key",))
URL = "https://vendor.example/v3"
TURNS_OF_A_TIMER = 2
"""Of the event loop, until one that has run out is heard of."""
Handler = Callable[[httpx.Request], httpx.Response]


def exchange(handler: Handler, url: str = URL, times: int = 1) -> list[Answer]:
    async def scenario() -> list[Answer]:
        async with make_client(httpx.MockTransport(handler)) as client:
            return [await send(client, CALL, "POST", url, content=b"{}") for _ in range(times)]

    return asyncio.run(scenario())


def test_a_redirect_is_answered_and_not_followed() -> None:
    asked = []

    def redirect(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"Location": "https://elsewhere.example/?token=x"})

    (answer,) = exchange(redirect)
    assert asked == ["vendor.example"]
    error = failure(CALL, answer, said="", now=0)
    assert isinstance(error, VendorUnavailable)
    assert "a redirect to elsewhere.example is not followed" in str(error)


@pytest.mark.parametrize(
    ("status", "kind"), [(429, RateLimited), (503, VendorUnavailable), (502, VendorUnavailable)]
)
@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120.0), ("Thu, 01 Jan 1970 00:02:10 GMT", 30.0), ("later", None), (None, None)],
)
def test_the_vendors_own_word_on_when_to_come_again_is_kept(
    status: int, kind: type[VendorError], header: str | None, seconds: float | None
) -> None:
    headers = {"Retry-After": header} if header else {}
    (answer,) = exchange(lambda _: httpx.Response(status, headers=headers))
    error = failure(CALL, answer, said="", now=100)
    assert isinstance(error, RateLimited | VendorUnavailable)
    assert type(error) is kind
    assert error.retry_after == seconds


def move(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """Let so much time pass on an event loop's clock."""
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]


def upload(*waits: float) -> Answer:
    """Send a byte after each of these waits in seconds, of which the loop's clock alone knows."""

    async def take(request: httpx.Request) -> httpx.Response:
        return httpx.Response(201, content=await request.aread())

    async def body() -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        for seconds in waits:
            move(loop, seconds)
            for _ in range(TURNS_OF_A_TIMER):
                await asyncio.sleep(0)
            yield b"x"

    async def scenario() -> Answer:
        async with make_client(httpx.MockTransport(take)) as client:
            return await send(client, CALL, "POST", URL, content=body())

    return asyncio.run(scenario())


def test_an_upload_may_take_longer_than_a_call_but_not_stand_still() -> None:
    assert upload(*[CALL_SECONDS / 2] * 10).body == b"x" * 10
    with pytest.raises(VendorUnavailable, match="it took too long"):
        upload(CALL_SECONDS + 1)


def test_no_cookie_is_sent_back() -> None:
    cookies = []

    def bake(request: httpx.Request) -> httpx.Response:
        cookies.append(request.headers.get("Cookie"))
        return httpx.Response(200, headers={"Set-Cookie": "session=1"})

    exchange(bake, times=2)
    assert cookies == [None, None]


def test_a_call_names_the_program() -> None:
    agents = []

    def look(request: httpx.Request) -> httpx.Response:
        agents.append(request.headers["User-Agent"])
        return httpx.Response(204)

    exchange(look)
    assert agents == [USER_AGENT]


def test_no_url_is_logged_with_its_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    exchange(lambda _: httpx.Response(200), url=f"{URL}?signature=the-secret-key")
    assert "the-secret-key" not in caplog.text


def test_an_endless_answer_is_cut_off() -> None:
    (answer,) = exchange(lambda _: httpx.Response(200, content=b"x" * (ANSWER_BYTES + 9)))
    assert len(answer.body) == ANSWER_BYTES


def test_an_answer_is_read_as_far_as_is_asked_for() -> None:
    async def scenario(limit: int) -> bytes:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, content=b"x" * 9))
        async with make_client(transport) as client:
            return (await send(client, CALL, "GET", URL, answer_bytes=limit)).body

    assert [len(asyncio.run(scenario(limit))) for limit in (5, 20)] == [5, 9]


def test_a_vendors_own_advice_goes_before_the_common_one() -> None:
    call = replace(CALL, advice={ScanGone: "look in the attic"})
    gone, busy = (
        failure(call, Answer(status, httpx.Headers(), b""), said="", now=0) for status in (404, 503)
    )
    assert str(gone).count("look in the attic") == 1
    assert "it is tried again by itself" in str(busy)


@pytest.mark.parametrize("url", ["vendor.example/v3", "ftp://vendor.example", "http://[::1"])
def test_an_address_that_is_none_is_a_matter_of_settings(url: str) -> None:
    async def scenario() -> None:
        async with make_client() as client:
            await send(client, CALL, "GET", url)

    with pytest.raises(ConfigError, match="copyleaks: its address is not"):
        asyncio.run(scenario())


def test_a_certificate_that_does_not_verify_is_named() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        reason = ssl.SSLCertVerificationError("certificate verify failed: self-signed")
        raise httpx.ConnectError(str(reason), request=request)

    with pytest.raises(VendorUnavailable, match="TLS certificate does not verify"):
        exchange(refuse)


@pytest.mark.parametrize(
    ("headers", "body", "found"),
    [
        ({"X-Request-Id": "a"}, b"", "a"),
        ({"request-id": "b"}, b"", "b"),
        ({}, b'{"traceId":"00-c"}', "00-c"),
        ({"X-Request-Id": " "}, b'{"traceId":"00-c"}', "00-c"),
        ({}, b'{"meta":{"request_id":"req_d"}}', "req_d"),
        ({}, b'{"meta":{"request_id":null}}', None),
        ({}, b'{"meta":"req_d"}', None),
        ({}, b"<html>", None),
        ({}, b"[1]", None),
        ({}, b"[" * 100_000, None),
    ],
)
def test_the_vendors_request_id_is_found_where_it_is(
    headers: dict[str, str], body: bytes, found: str | None
) -> None:
    assert Answer(400, httpx.Headers(headers), body).request_id == found


def test_what_the_vendor_said_is_redacted_before_it_is_cut() -> None:
    said = "x" * (SAID_CHARACTERS - 5) + "the-secret-key"
    error = failure(CALL, Answer(404, httpx.Headers(), b""), said=said, now=0)
    assert isinstance(error, ScanGone)
    assert "the-s" not in error.message
    assert "essay-1" in str(error)
