import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest

from export_pipeline.vendors.http import make_client

Exchange = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


async def asked(
    exchange: Exchange, ask: Callable[[httpx.AsyncClient, str], Coroutine[Any, Any, Any]]
) -> Any:
    """What `ask` returns, given a client and the address of a server that does `exchange`."""
    async with serving(exchange) as url, make_client() as client:
        return await ask(client, url)


@asynccontextmanager
async def serving(exchange: Exchange) -> AsyncIterator[str]:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError):
                await exchange(reader, writer)
        finally:
            writer.close()

    async with await asyncio.start_server(closing, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def recorder(seen: list[bytes], answer: bytes = OK + b"ok") -> Exchange:
    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.lower()
            body = b""
            if b"transfer-encoding: chunked" in lines:
                body = await reader.readuntil(b"0\r\n\r\n")
            elif b"content-length: " in lines:
                body = await reader.readexactly(int(lines.split(b"content-length: ")[1].split()[0]))
            seen.append(head + body)
            writer.write(answer)
            await writer.drain()

    return exchange


@pytest.mark.parametrize(
    "path",
    [
        "/v3/a%2F..%2Fb%252f%3B%3A%22%3Cx%3E",
        "/v3/%2E%2E/%2e%2e/x%7Ey",
        "/v3/%E2%82%AC=2e?callback=https%3A%2F%2Fx%2F%3Fa%3Db&signature=%2B%20+",
    ],
)
def test_an_address_is_sent_as_it_is(path: str) -> None:
    seen: list[bytes] = []
    asyncio.run(asked(recorder(seen), lambda client, url: client.get(url + path)))
    assert seen[0].split(b" ")[1] == path.encode()


def test_a_request_is_sent_with_the_headers_that_it_has_and_no_others() -> None:
    seen: list[bytes] = []

    async def ask(client: httpx.AsyncClient, url: str) -> None:
        await client.post(url, content=b"{}", headers={"Authorization": "Bearer one"})

    asyncio.run(asked(recorder(seen), ask))
    head, body = seen[0].split(b"\r\n\r\n")
    names = [line.split(b": ")[0].lower() for line in head.split(b"\r\n")[1:]]
    assert sorted(names) == [
        b"accept",
        b"accept-encoding",
        b"authorization",
        b"connection",
        b"content-length",
        b"host",
        b"user-agent",
    ]
    assert body == b"{}"


def test_a_body_may_come_in_pieces() -> None:
    seen: list[bytes] = []

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        yield b"second"

    asyncio.run(asked(recorder(seen), lambda client, url: client.put(url, content=pieces())))
    assert b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n" in seen[0]


def test_a_body_in_pieces_of_known_length_is_sent_with_its_length() -> None:
    seen: list[bytes] = []

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        yield b"second"

    async def ask(client: httpx.AsyncClient, url: str) -> None:
        await client.put(url, content=pieces(), headers={"Content-Length": "11"})

    asyncio.run(asked(recorder(seen), ask))
    assert seen[0].endswith(b"\r\n\r\nfirstsecond")


def test_credentials_in_an_address_are_a_header_and_go_no_further() -> None:
    seen: list[bytes] = []

    async def ask(client: httpx.AsyncClient, url: str) -> None:
        await client.get(url.replace("//", "//user:word@"))

    asyncio.run(asked(recorder(seen), ask))
    assert seen[0].startswith(b"GET / HTTP/1.1\r\n")
    assert b"Basic dXNlcjp3b3Jk" in seen[0]
    assert b"user:word" not in seen[0]


def test_a_connection_is_used_again_and_sends_no_cookie() -> None:
    seen: list[bytes] = []
    connections: list[asyncio.StreamWriter] = []
    answering = recorder(seen, OK.replace(b"Content", b"Set-Cookie: a=1\r\nContent") + b"ok")

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await answering(reader, writer)

    async def ask(client: httpx.AsyncClient, url: str) -> None:
        await client.get(url)
        await client.get(url)

    asyncio.run(asked(exchange, ask))
    assert (len(seen), len(connections)) == (2, 1)
    assert b"cookie" not in seen[1].lower()


def test_a_get_whose_connection_breaks_is_not_sent_again() -> None:
    seen: list[bytes] = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        if len(seen) == 1:
            writer.write(OK + b"ok")
            seen.append(await reader.readuntil(b"\r\n\r\n"))

    async def ask(client: httpx.AsyncClient, url: str) -> None:
        await client.get(url)
        with pytest.raises(httpx.RemoteProtocolError, match="closed without an answer"):
            await client.get(url)

    asyncio.run(asked(once, ask))
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (OK + b"o", httpx.ReadError),
        (b"no HTTP at all\r\n\r\n", httpx.ReadError),
        (b"", httpx.RemoteProtocolError),
    ],
)
def test_an_answer_that_breaks_off_is_told_as_httpx_tells_it(
    answer: bytes, error: type[httpx.RequestError]
) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    with pytest.raises(error) as caught:
        asyncio.run(asked(cut, lambda client, url: client.get(f"{url}?token=secret")))
    assert "secret" not in str(caught.value)


def packed(coding: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        packed("gzip", gzip.compress(b'{"data": []}', mtime=0)),
        packed("deflate", zlib.compress(b'{"data": []}')),
        packed("identity", b'{"data": []}'),
        CHUNKED + b'\r\n1\r\n{\r\nb\r\n"data": []}\r\n0\r\n\r\n',
    ],
)
def test_an_answer_is_read_however_it_is_packed_and_cut(answer: bytes) -> None:
    found = asyncio.run(asked(recorder([], answer), lambda client, url: client.get(url)))
    assert found.json() == {"data": []}


def test_a_packing_that_is_broken_is_an_answer_that_did_not_come() -> None:
    answer = packed("gzip", b"no gzip at all")
    with pytest.raises(httpx.RequestError):
        asyncio.run(asked(recorder([], answer), lambda client, url: client.get(url)))


def test_silence_is_a_time_out() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    with pytest.raises(httpx.ReadTimeout):
        asyncio.run(asked(silent, lambda client, url: client.get(url, timeout=0.2)))


def test_a_host_that_is_not_there_is_told_in_words() -> None:
    async def scenario() -> None:
        async with make_client() as client:
            await client.get("http://127.0.0.1:9/?token=secret")

    with pytest.raises(httpx.ConnectError, match="Connect call failed"):
        asyncio.run(scenario())


def test_a_client_that_nobody_closes_ends_with_its_event_loop() -> None:
    seen: list[bytes] = []

    async def scenario() -> int:
        async with serving(recorder(seen)) as url:
            return (await make_client().get(url)).status_code

    assert asyncio.run(scenario()) == 200
