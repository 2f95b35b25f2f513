"""The index: whatever is there is listed, whoever writes at once, is killed, or gets no answer."""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Coroutine, Generator
from itertools import count
from pathlib import Path
from types import coroutine
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from export_pipeline.archive.layout import bag_prefix, payload_key
from export_pipeline.errors import NotFound, StoreError
from export_pipeline.scans import ScanKey
from export_pipeline.storage.http import Answer
from export_pipeline.storage.http_put import index
from export_pipeline.storage.http_put.open import open_store
from export_pipeline.storage.http_put.pages import Pages
from export_pipeline.storage.http_put.store import HttpPutStore
from export_pipeline_tests.servers.faults import running_fault_proxy
from export_pipeline_tests.servers.nginx import Nginx
from export_pipeline_tests.servers.web_target import WebTarget
from export_pipeline_tests.storage.conformance import keys, put

REQUESTS = 5
"""Of a writer that becomes the one of a page: is it free, claim, is it free, taken, is it ours."""
HOSTILE = ['a/../b%2f;:"<x>', "Ünï cödé", "a.b..c", "=2e", "x y", "r=2a"]
WRITER = """
import asyncio, json, sys
from export_pipeline.storage.open import open_store
from export_pipeline.storage.store import pieces
url, variables, names = json.loads(sys.argv[1])
store = open_store(url, variables)
async def write():
    print("ready", flush=True)
    sys.stdin.readline()
    gate = asyncio.Semaphore(8)
    async def one(name):
        async with gate:
            await store.put(name, pieces(name.encode()))
    await asyncio.gather(*map(one, names))
asyncio.run(write())
"""


def bags(number: int) -> list[str]:
    return [bag_prefix(ScanKey("copyleaks", "default", f"scan {n}"), 1) for n in range(number)]


def there(files: Path, url: str) -> set[str]:
    """Every object in the server's folder, by our own eyes."""
    folder = files / unquote(urlsplit(url).path).strip("/") / "my archive"
    found = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    return {key for key in found if not key.startswith(index.FOLDER)}


class Writers:
    """Processes that write all at once."""

    def __init__(self, url: str, variables: dict[str, str], shares: list[list[str]]) -> None:
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, json.dumps([f"{url}/my%20archive", variables, one])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for one in shares
        ]
        for process in self.processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"

    def go(self) -> None:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.flush()

    def kill(self) -> None:
        for process in self.processes:
            process.kill()

    def end(self) -> list[int]:
        for process in self.processes:
            process.communicate()
        return [process.returncode for process in self.processes]


def test_a_bags_folder_is_where_the_layout_puts_it() -> None:
    prefix = bag_prefix(ScanKey("copyleaks", "default", HOSTILE[0]), 12)
    assert prefix.count("/") == index.BAG_PARTS
    assert index.folder_of(payload_key(prefix, "results/1.json")) == prefix
    assert index.folder_of("catalog/1.parquet") == "catalog/"
    assert index.folder_of("health") == ""


def test_files_of_one_bag_at_once_share_pages_and_are_all_listed(
    store: HttpPutStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "NAMES_PER_PAGE", 10)
    [bag] = bags(1)
    wanted = [payload_key(bag, f"results/{number:03}.json") for number in range(64)]

    async def scenario() -> None:
        await asyncio.gather(*(put(store, key) for key in wanted))
        assert await keys(store, bag) == wanted
        assert await keys(store) == wanted
        assert await keys(store, f"{bag}data/results/01") == wanted[10:20]

    asyncio.run(scenario())


def test_hostile_ids_are_listed_as_they_were_written(store: HttpPutStore) -> None:
    prefixes = [bag_prefix(ScanKey("copyleaks", "an account", name), 1) for name in HOSTILE]
    wanted = [
        payload_key(prefix, name) for prefix in prefixes for name in HOSTILE if "/" not in name
    ]

    async def scenario() -> None:
        for key in wanted:
            await put(store, key, key.encode())
        assert await keys(store) == sorted(wanted)
        for prefix in prefixes:
            assert await keys(store, prefix) == sorted(k for k in wanted if k.startswith(prefix))

    asyncio.run(scenario())


@pytest.mark.parametrize("server", ["web", "nginx"])
def test_processes_that_write_the_same_bags_at_once_lose_no_name(
    server: str, request: pytest.FixtureRequest
) -> None:
    target: WebTarget | Nginx = request.getfixturevalue(server)
    url = target.new_folder()
    shares = [
        [payload_key(bag, f"{writer}/{n}") for n in range(5) for bag in bags(6)]
        for writer in range(4)
    ]
    writers = Writers(url, target.variables(), shares)
    writers.go()
    assert writers.end() == [0] * 4
    store = open_store(urlsplit(f"{url}/my%20archive"), target.variables())
    listed = asyncio.run(keys(store))
    assert listed == sorted(key for share in shares for key in share)
    assert set(listed) == there(target.files, url)
    for bag in bags(6):
        assert asyncio.run(keys(store, bag)) == [key for key in listed if key.startswith(bag)]


@pytest.mark.parametrize("number", [1, 20, 60, 120])
def test_what_writers_wrote_before_they_were_killed_is_listed(nginx: Nginx, number: int) -> None:
    url = nginx.new_folder()
    shares = [
        [payload_key(bag, f"{writer}/{n}") for bag in bags(400) for n in range(2)]
        for writer in range(2)
    ]
    writers = Writers(url, nginx.variables(), shares)
    writers.go()
    while len(there(nginx.files, url)) < number:
        time.sleep(0.01)
    writers.kill()
    writers.end()
    store = open_store(urlsplit(f"{url}/my%20archive"), nginx.variables())
    written, listed = set[str](), set[str]()
    # What the dead had sent may land meanwhile.
    while written != there(nginx.files, url):
        written = there(nginx.files, url)
        listed = set(asyncio.run(keys(store)))
    assert number <= len(written) < sum(map(len, shares))
    assert listed == written


@pytest.mark.parametrize("seed", range(3))
def test_connections_that_break_at_any_request_lose_no_name(
    web: WebTarget, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "NAMES_PER_PAGE", 7)
    dice = random.Random(seed)
    url = web.new_folder()
    wanted = sorted(payload_key(bag, f"{n}.json") for bag in bags(4) for n in range(20))

    async def at_once(_: float) -> None:
        await asyncio.sleep(0)

    with running_fault_proxy(web.url) as proxy:
        through = f"{url}/my%20archive".replace(web.url, proxy.url)
        store = open_store(urlsplit(through), web.variables(), sleep=at_once)

        async def one(key: str) -> bool:
            # Lost now and then: an answer, a request's last bytes.
            proxy.cut_answer_at, proxy.cut_upload_at = dice.choice([(0, None), (None, 300)])
            proxy.times += dice.random() < 0.3
            try:
                await put(store, key, key.encode())
            except StoreError:
                return False
            return True

        async def scenario() -> int:
            gate = asyncio.Semaphore(4)

            async def gated(key: str) -> bool:
                async with gate:
                    return await one(key)

            done = await asyncio.gather(*map(gated, wanted))
            return sum(done)

        done = asyncio.run(scenario())
        assert proxy.hits > 10
    written = there(web.files, url)
    assert len(written) >= done > len(wanted) / 2
    listed = asyncio.run(keys(open_store(urlsplit(f"{url}/my%20archive"), web.variables())))
    assert set(listed) == written


def test_a_name_without_an_object_is_passed_over(store: HttpPutStore, web: WebTarget) -> None:
    async def scenario() -> None:
        await put(store, "a/b/c/1/kept")
        with pytest.raises(ConnectionResetError):
            await store.put("a/b/c/1/never", broken())
        await put(store, "a/b/c/1/removed")
        await store.delete("a/b/c/1/removed")
        assert await keys(store) == ["a/b/c/1/kept"]

    async def broken() -> Any:
        yield b"half"
        raise ConnectionResetError

    asyncio.run(scenario())


def test_a_second_loop_writes_on_pages_of_its_own(store: HttpPutStore) -> None:
    for number in range(3):
        asyncio.run(put(store, f"a/b/c/1/{number}"))
    assert asyncio.run(keys(store)) == [f"a/b/c/1/{number}" for number in range(3)]


def test_a_writer_that_forgot_a_folders_page_takes_another(
    store: HttpPutStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "OPEN_FOLDERS", 1)

    async def scenario() -> None:
        for number in range(3):
            await put(store, f"a/b/c/1/{number}")
            await put(store, f"a/b/d/1/{number}")
        assert len(await keys(store)) == 6

    asyncio.run(scenario())


def test_what_is_scratch_is_not_listed_and_the_index_is_no_key(store: HttpPutStore) -> None:
    async def scenario() -> None:
        await put(store, ".check/1", b"probe")
        assert await keys(store) == []
        assert await keys(store, ".check/") == []
        for call in (put(store, ".index/folders/0"), store.stat(".index/folders/0")):
            with pytest.raises(StoreError, match=r"holds the index"):
                await call

    asyncio.run(scenario())


@pytest.mark.parametrize("taken", [0, 1, 2, 3, 7, 8, 9, 100])
def test_the_first_free_page_is_found_in_few_looks(taken: int) -> None:
    registers = Registers({f"a/{number}.taken": "" for number in range(taken)})
    assert finished(Pages(registers).first_free("a", 0)) == taken  # type: ignore[arg-type]
    assert registers.requests <= 2 + 2 * taken.bit_length()


@pytest.mark.parametrize("start", [0, 3, 5])
def test_the_first_free_page_is_never_looked_for_below_the_last_one(start: int) -> None:
    registers = Registers({f"a/{number}.taken": "" for number in range(5)})
    assert finished(Pages(registers).first_free("a", start)) == 5  # type: ignore[arg-type]


class Registers:
    """A server of which each request is one step, taken when the test says so."""

    def __init__(self, held: dict[str, str]) -> None:
        self.held = held
        self.requests = 0

    async def call(self, verb: str, name: str) -> Answer:
        await _step()
        self.requests += 1
        if name not in self.held:
            raise NotFound(name)
        return Answer(200, {}, self.held[name].encode())

    async def call_once(self, verb: str, name: str, headers: Any, body: Any) -> Answer:
        await _step()
        self.requests += 1
        self.held[name] = b"".join(body).decode()
        return Answer(201, {})


@coroutine
def _step() -> Generator[None, None, None]:
    yield


def finished(work: Coroutine[Any, Any, Any]) -> Any:
    while True:
        try:
            work.send(None)
        except StopIteration as end:
            return end.value


def test_in_every_order_of_their_requests_at_most_one_of_two_writers_gets_a_page() -> None:
    outcomes = {_race(order, writers=2) for order in _orders(writers=2)}
    assert outcomes == {(False, True), (True, False), (False, False)}


def test_in_many_orders_of_their_requests_at_most_one_of_three_writers_gets_a_page() -> None:
    dice = random.Random(3)
    order = [writer for writer in range(3) for _ in range(REQUESTS)]
    winners = set()
    for _ in range(5_000):
        dice.shuffle(order)
        winners.add(sum(_race(tuple(order), writers=3)))
    assert winners == {0, 1}


def _orders(writers: int) -> set[tuple[int, ...]]:
    found: set[tuple[int, ...]] = {()}
    for _ in range(writers * REQUESTS):
        found = {
            (*order, writer)
            for order in found
            for writer in range(writers)
            if order.count(writer) < REQUESTS
        }
    return found


def _race(order: tuple[int, ...], writers: int) -> tuple[bool, ...]:
    """Let each writer do its next request in this order, then the rest; who got the page?"""
    pages, tokens = Pages(Registers({})), count()  # type: ignore[arg-type]

    async def work() -> bool:
        if await pages.first_free("a", 0) != 0:
            return False
        return await pages.claim("a", 0, str(next(tokens)))

    racing = [work() for _ in range(writers)]
    outcomes: dict[int, bool] = {}
    for writer in (*order, *range(writers)):  # once more each, to return
        if writer not in outcomes:
            try:
                racing[writer].send(None)
            except StopIteration as end:
                outcomes[writer] = end.value
    return tuple(outcomes[writer] for writer in range(writers))
