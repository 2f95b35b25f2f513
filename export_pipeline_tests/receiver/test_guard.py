"""One writer a key on a store that would replace what it has; nginx is the judge."""

import asyncio
import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from export_pipeline.errors import AlreadyExists, StoreUnavailable
from export_pipeline.ledger import leases
from export_pipeline.ledger.database import Ledger
from export_pipeline.receiver import guard
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.receiver.guard import LEASE_PREFIX, writing
from export_pipeline.storage.open import open_store
from export_pipeline.storage.store import Store, pieces
from export_pipeline_tests.ledger.conftest import SteppedClock
from export_pipeline_tests.ledger.renewing import renewed
from export_pipeline_tests.receiver.home import Home
from export_pipeline_tests.receiver.sending import begin, send, status_of
from export_pipeline_tests.servers.nginx import Nginx
from export_pipeline_tests.servers.receiver import SECRET, running_receiver

HOSTILE = 'a/../b%2f;:"<x>'
NAMES = [f"results/{number}=2e.json" for number in range(8)]
RECEIVER = """
import json, sys
from export_pipeline.ledger.database import Ledger
from export_pipeline.receiver.server import serve
from export_pipeline.settings import Settings
from export_pipeline.storage.open import open_store
settings = Settings.from_env(json.loads(sys.argv[1]))
store = open_store(settings.storage_url, settings.storage_variables)
ledger = Ledger(settings.ledger_url)
serve(settings, ledger, store, host="127.0.0.1", port=0, ready=lambda url: print(url, flush=True))
"""


@pytest.fixture
def folder(nginx: Nginx) -> str:
    return nginx.new_folder()


@pytest.fixture
def store(nginx: Nginx, folder: str) -> Store:
    """A store on a server that replaces objects."""
    return open_store(folder, nginx.variables())


@pytest.fixture
def two_receivers(home: Home, nginx: Nginx, folder: str) -> Iterator[list[Addresses]]:
    """Addresses of two receivers, each a process of its own, with one ledger and one store."""
    environment = {
        "EXPORT_PIPELINE_HOME": str(home.path),
        "EXPORT_RECEIVER_SECRET": SECRET,
        "EXPORT_STORAGE_URL": folder,
        **nginx.variables(),
    }
    command = [sys.executable, "-c", RECEIVER, json.dumps(environment)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        urls = [process.stdout.readline().strip() for process in processes if process.stdout]
        yield [Addresses(url, (SECRET,)) for url in urls]
    finally:
        for process in processes:
            process.terminate()
            process.communicate()


def read(store: Store, key: str) -> bytes:
    async def whole() -> bytes:
        return b"".join([chunk async for chunk in store.open(key)])

    return asyncio.run(whole())


def is_held(ledger: Ledger, key: str) -> bool:
    with ledger.read() as tx:
        return leases.is_held(tx, LEASE_PREFIX + key)


def test_of_uploads_of_other_bytes_at_once_to_two_processes_one_wins_whole(
    home: Home, store: Store, two_receivers: list[Addresses]
) -> None:
    order = home.order(HOSTILE, NAMES)
    bodies = {(name, n): bytes([n]) * (200_000 + n) for name in NAMES for n in range(4)}

    def upload(what: tuple[str, int]) -> tuple[tuple[str, int], int]:
        name, number = what
        target = two_receivers[number % 2].upload(order.id, name)
        with httpx.Client(trust_env=False, timeout=60) as http:
            return what, send(http, target, bodies[what]).status_code

    with ThreadPoolExecutor(16) as pool:
        answers = dict(pool.map(upload, bodies))
    assert Counter(answers.values()) == {201: len(NAMES), 409: len(NAMES) * 3}
    for name in NAMES:
        [winner] = [
            bodies[what] for what, code in answers.items() if (what[0], code) == (name, 201)
        ]
        assert read(store, home.key(order, name)) == winner
        assert home.artifact(order, name).sha256 == hashlib.sha256(winner).hexdigest()
        assert not is_held(home.ledger, home.key(order, name))


def test_a_repeat_of_the_same_bytes_to_another_process_at_once_is_fine(
    home: Home, store: Store, two_receivers: list[Addresses]
) -> None:
    order = home.order(HOSTILE, NAMES)
    body = bytes(3_000_000)
    for name in NAMES:
        heads = [
            begin(addresses.upload(order.id, name), f"Content-Length: {len(body)}")
            for addresses in two_receivers
        ]
        for connection in heads:
            connection.sendall(body[:-1])
        for connection in heads:
            connection.sendall(body[-1:])
        assert sorted(status_of(connection) for connection in heads) == [200, 201]
        for connection in heads:
            connection.close()
        assert read(store, home.key(order, name)) == body


def test_an_upload_waits_for_the_lease_of_a_process_that_died(
    home: Home, http: httpx.Client, store: Store
) -> None:
    order = home.order(HOSTILE, NAMES)
    key = home.key(order, NAMES[0])
    with running_receiver(home.ledger, store) as addresses:
        with home.ledger.write() as tx:
            assert leases.acquire(tx, LEASE_PREFIX + key, "the dead", 1.0)
            ends = tx.now + 1.0
        assert send(http, addresses.upload(order.id, NAMES[0]), b"x").status_code == 201
    delivered_at = home.artifact(order, NAMES[0]).delivered_at
    assert delivered_at is not None
    assert delivered_at >= ends
    assert not is_held(home.ledger, key)


def test_an_upload_that_another_holds_up_for_long_is_to_be_repeated(
    home: Home, http: httpx.Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "WAIT_SECONDS", 0.3)
    order = home.order(HOSTILE, NAMES)
    with home.ledger.write() as tx:
        assert leases.acquire(tx, LEASE_PREFIX + home.key(order, NAMES[0]), "slow", 60.0)
    with running_receiver(home.ledger, store) as addresses:
        assert send(http, addresses.upload(order.id, NAMES[0]), b"x").status_code == 503
        assert send(http, addresses.upload(order.id, NAMES[1]), b"x").status_code == 201


def test_a_lease_is_kept_for_as_long_as_the_upload_takes(
    home: Home, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    clock = SteppedClock()
    ledger = Ledger(url_of(home.ledger), clock)
    inside: list[str] = []

    async def write(name: str, terms: int) -> None:
        async with writing(ledger, store, "a"):
            inside.append(name)
            for _ in range(terms):
                clock.step(guard.LEASE_SECONDS - 1)
                await renewed(ledger, clock, guard.LEASE_SECONDS)
            inside.append(name)

    async def scenario() -> None:
        slow = asyncio.create_task(write("slow", 3))
        while not inside:  # noqa: ASYNC110  the ledger's thread has it
            await asyncio.sleep(0.01)
        await write("next", 0)
        await slow

    asyncio.run(scenario())
    ledger.close()
    assert inside == ["slow", "slow", "next", "next"]


class FailingLedger(Ledger):
    """A ledger that cannot be written after the first time."""

    writes = 0

    async def apply(self, work, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.writes += 1
        if self.writes > 1:
            raise OperationalError("locked", {}, Exception())
        return await super().apply(work, *args, **kwargs)


def test_a_write_is_broken_off_before_a_lease_that_is_not_renewed_ends(
    home: Home, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr(guard, "MARGIN_SECONDS", guard.LEASE_SECONDS - 0.3)
    ledger = FailingLedger(url_of(home.ledger))

    async def endless() -> None:
        async with writing(ledger, store, "a"):
            await asyncio.Event().wait()

    with pytest.raises(StoreUnavailable, match="'a' was not written: its lease"):
        asyncio.run(endless())
    assert is_held(home.ledger, "a")
    ledger.close()


@pytest.mark.parametrize(
    ("error", "held"),
    [
        (AlreadyExists("there"), False),
        (ConnectionResetError("the vendor went away"), False),
        (TimeoutError("the vendor is slow"), False),
        (StoreUnavailable("no answer"), True),
        (asyncio.CancelledError(), True),
    ],
)
def test_a_lease_is_given_back_only_if_nothing_can_land_any_more(
    home: Home, store: Store, error: BaseException, held: bool
) -> None:
    async def scenario() -> None:
        async with writing(home.ledger, store, "a"):
            raise error

    with pytest.raises(type(error)):
        asyncio.run(scenario())
    assert is_held(home.ledger, "a") is held


def test_a_store_that_enforces_create_only_needs_no_lease(home: Home) -> None:
    async def scenario() -> None:
        async with writing(home.ledger, home.store, "a"):
            assert not is_held(home.ledger, "a")
            await home.store.put("a", pieces(b"x"))

    asyncio.run(scenario())


def url_of(ledger: Ledger) -> str:
    return ledger.url.render_as_string(hide_password=False)


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RENEW", "LOOK_AGAIN"):
        monkeypatch.setattr(guard, f"{name}_SECONDS", 0.02)
