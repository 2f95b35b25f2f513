"""Pulling from a host that breaks off, forgets, replaces and refuses."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from export_pipeline.storage.http import Http
from export_pipeline.transfer.pull import LINKS, TRIES, FileChanged, LinkBroken, LinkDead, pull

DATA = bytes(range(256)) * 12_000
"""About 3 MB: several pieces."""
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def whole(request: web.Request, *, data: bytes = DATA, etag: str = '"1"') -> web.Response:
    """The file, or the rest of it that was asked for."""
    asked = request.headers.get("Range", "")
    if not asked:
        return web.Response(body=data, headers={"ETag": etag})
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    headers = {"ETag": etag, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
    return web.Response(status=206, body=data[start:], headers=headers)


async def without_ranges(_: web.Request) -> web.Response:
    return web.Response(body=DATA, headers={"ETag": '"1"'})


def cut_at(size: int) -> Answer:
    """The file, broken off after `size` bytes."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": '"1"', "Content-Length": str(len(DATA))})
        await response.prepare(request)
        await response.write(DATA[:size])
        assert request.transport is not None
        request.transport.close()
        return response

    return answer


def resumed_by(size: int) -> Answer:
    """The next `size` bytes of what was asked for, then broken off."""

    async def answer(request: web.Request) -> web.StreamResponse:
        start = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=")[:-1])
        headers = {"ETag": '"1"', "Content-Length": str(len(DATA) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
        response = web.StreamResponse(status=206 if start else 200, headers=headers)
        await response.prepare(request)
        await response.write(DATA[start : start + size])
        assert request.transport is not None
        request.transport.close()
        return response

    return answer


def status(code: int, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=code, headers=headers)

    return answer


class Host:
    """Gives the next of `answers` to each request, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[web.Request] = []
        self.links: list[str] = []
        self.pauses: list[float] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)

    async def locate(self) -> str:
        self.links.append(f"{self.url}/file?signature={len(self.links)}")
        return self.links[-1]

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    @asynccontextmanager
    async def running(self):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()


def pulled(host: Host, size: int | None = None) -> bytes:
    async def scenario() -> bytes:
        async with (
            host.running(),
            pull(Http(), host.locate, size=size, sleep=host.sleep) as found,
        ):
            assert found.headers["etag"] == '"1"'
            return b"".join([chunk async for chunk in found.chunks])

    return asyncio.run(scenario())


def test_a_file_comes_whole_from_one_link_in_one_request() -> None:
    host = Host(whole)
    assert pulled(host, len(DATA)) == DATA
    assert len(host.requests) == len(host.links) == 1


def test_no_credential_and_no_cookie_is_sent() -> None:
    host = Host(status(302, Location="/elsewhere", **{"Set-Cookie": "a=b"}), whole)
    assert pulled(host) == DATA
    sent = {name.lower() for request in host.requests for name in request.headers}
    assert sent == {"host", "accept", "accept-encoding"}


def test_a_broken_file_is_gone_on_with_where_it_broke() -> None:
    host = Host(cut_at(1_000_000), cut_at(0), whole)
    assert pulled(host) == DATA
    ranges = [request.headers.get("Range") for request in host.requests]
    assert ranges[0] is None
    assert ranges[1] == ranges[2]
    assert 0 < int(ranges[1].removeprefix("bytes=").removesuffix("-")) <= 1_000_000


@pytest.mark.parametrize("size", [len(DATA), 1_000_000])
def test_a_file_in_chunks_of_no_told_length_comes_whole(size: int) -> None:
    async def chunked(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": '"1"'})
        await response.prepare(request)
        await response.write(DATA[:size])
        if size < len(DATA):
            assert request.transport is not None
            request.transport.close()
        return response

    assert pulled(Host(chunked, whole)) == DATA


def test_a_host_that_knows_no_ranges_is_read_again_from_the_start() -> None:
    host = Host(cut_at(2_000_000), without_ranges)
    assert pulled(host) == DATA


@pytest.mark.parametrize("refusal", [400, 401, 403, 404, 410])
def test_a_link_that_ended_is_asked_for_anew_also_in_the_middle(refusal: int) -> None:
    host = Host(status(refusal), cut_at(1_000_000), status(refusal), whole)
    assert pulled(host) == DATA
    assert len(host.links) == 3


def test_links_that_are_all_refused_are_dead() -> None:
    host = Host(status(403))
    with pytest.raises(LinkDead):
        pulled(host)
    assert len(host.links) == LINKS


def test_links_may_end_as_often_as_they_bring_more_of_the_file() -> None:
    """A file of many gigabytes, from links that live for some minutes."""
    parts = [answer for _ in range(LINKS * 2) for answer in (resumed_by(100_000), status(403))]
    host = Host(*parts, whole)
    assert pulled(host) == DATA
    assert len(host.links) == LINKS * 2 + 1


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_host_that_never_answers_well_is_given_up_after_growing_pauses(code: int) -> None:
    host = Host(status(code))
    with pytest.raises(LinkBroken, match=str(code)):
        pulled(host)
    assert len(host.requests) == TRIES
    assert host.pauses == sorted(host.pauses)
    assert len(host.pauses) == TRIES - 1


def test_a_file_that_was_replaced_while_it_was_read_is_not_put_together() -> None:
    async def other(request: web.Request) -> web.Response:
        return await whole(request, data=bytes(len(DATA)), etag='"2"')

    with pytest.raises(FileChanged, match="replaced"):
        pulled(Host(cut_at(1_000_000), other))


@pytest.mark.parametrize("wrong", [len(DATA) - 1, len(DATA) + 1])
def test_a_file_of_another_size_than_the_vendor_said_is_refused(wrong: int) -> None:
    with pytest.raises(FileChanged, match=str(wrong)):
        pulled(Host(whole), wrong)


def test_a_file_that_got_shorter_is_refused() -> None:
    with pytest.raises(FileChanged):
        pulled(Host(cut_at(2_000_000), status(416)))


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "br", "zstd", "GZIP, identity"])
def test_a_file_that_comes_packed_is_not_taken_for_the_file(coding: str) -> None:
    with pytest.raises(LinkBroken, match="packed"):
        pulled(Host(status(200, **{"Content-Encoding": coding})))


@pytest.mark.parametrize("coding", ["identity", "utf-8", "aws-chunked"])
def test_a_coding_that_packs_nothing_is_passed_over(coding: str) -> None:
    async def coded(request: web.Request) -> web.Response:
        answer = await whole(request)
        answer.headers["Content-Encoding"] = coding
        return answer

    assert pulled(Host(coded)) == DATA


@pytest.mark.parametrize("link", ["http://host:abc/x", "http://[::1/x", "http:///x", "", "//x"])
def test_a_link_that_is_no_address_is_dead(link: str) -> None:
    async def locate() -> str:
        return link

    async def scenario() -> None:
        async with pull(Http(), locate):
            pass

    with pytest.raises(LinkDead, match="no http or https address"):
        asyncio.run(scenario())


@pytest.mark.parametrize("to", ["file:///etc/passwd", "/again", "http://[::1/x", "http://h:x/"])
def test_a_redirect_that_leads_nowhere_is_dead(to: str) -> None:
    with pytest.raises(LinkDead):
        pulled(Host(status(302, Location=to)))


def test_no_error_shows_the_link() -> None:
    for host in (Host(status(403)), Host(status(503)), Host(cut_at(0))):
        with pytest.raises((LinkDead, LinkBroken)) as told:
            pulled(host)
        assert "signature" not in str(told.value)
        assert told.value.__cause__ is None
