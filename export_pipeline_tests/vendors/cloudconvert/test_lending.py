"""CloudConvert writes into real stores with what was lent to it, and gets nothing else."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from export_pipeline.archive.audit import audit
from export_pipeline.archive.layout import INCOMING, bag_prefix
from export_pipeline.ledger.rows import Scan, ScanState
from export_pipeline.sandbox import SandboxOptions, SteppedClock
from export_pipeline.sandbox.cloudconvert import CloudConvertOptions
from export_pipeline.storage.store import Store
from export_pipeline_tests.vendors.bench import connected
from export_pipeline_tests.vendors.cloudconvert.home import CloudConvertHome
from export_pipeline_tests.vendors.cloudconvert.lending import BY_OPERATION, Lending, lending

NAMES = (['a/../b%2f;:"<x> ü=2e.pdf..'], ["b.txt", "c-d.txt"], ["a.txt"])
"""Of the files of three scans; several keep their names, so that none may need an escape."""


class LendingHome(CloudConvertHome):
    """Keeps what was sent to the vendor."""

    def __init__(self, *args: Any) -> None:
        self.sent = ""
        super().__init__(*args)

    def _http(self) -> httpx.AsyncClient:
        async def note(request: httpx.Request) -> None:
            self.sent += f"{request.url} {request.headers.raw} {request.content.decode()}\n"

        client = super()._http()
        client.event_hooks = {"request": [note]}
        return client


@pytest.fixture(params=BY_OPERATION)
def operation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def lent(operation: str, request: pytest.FixtureRequest) -> Lending:
    return lending(operation, request)


@pytest.fixture
def home(tmp_path: Path, lent: Lending) -> Iterator[LendingHome]:
    """Its clock begins now: real stores refuse what was signed long ago."""
    options = SandboxOptions(cloudconvert=CloudConvertOptions(pace="fast", **lent.sandbox))
    with connected(LendingHome, tmp_path, options, SteppedClock(time.time())) as made:
        made.store = lent.store
        made.vendor = made.make_vendor(EXPORT_CLOUDCONVERT_DELIVERY="storage")
        yield made


def archived(store: Store, scan: Scan) -> tuple[dict[str, bytes], list[str]]:
    """The payload of a scan's sealed bag, and what lies below `.incoming/` yet."""
    prefix = bag_prefix(scan.key, scan.generation)

    async def read() -> tuple[dict[str, bytes], list[str]]:
        report = await audit(store, prefix)
        assert report.passed, report.problems
        begin = f"{prefix}data/"
        keys = [found.key async for found in store.list(begin)]
        files = {key.removeprefix(begin): await whole(store, key) for key in keys}
        left = [found.key async for found in store.list(INCOMING)]
        return files, left

    return asyncio.run(read())


async def whole(store: Store, key: str) -> bytes:
    return b"".join([chunk async for chunk in store.open(key)])


def test_what_is_lent_writes_below_incoming_and_is_promoted_verified_and_sealed(
    home: LendingHome, lent: Lending, operation: str
) -> None:
    # One after the other: Keystone on SQLite refuses logins that come together.
    scans = [home.settle({"scan": home.made(names)})[0] for names in NAMES]
    assert [scan.state for scan in scans] == [ScanState.ARCHIVED] * 3, home.history(scans[0])
    assert home.operations() == [operation] * 3
    assert home.sent.count(INCOMING) == 3
    found = [archived(lent.store, scan) for scan in scans]
    texts = [sorted(files.values()) for files, _ in found]
    assert texts == [[f"the text of {name}".encode() for name in names] for names in NAMES]
    assert [left for _, left in found] == [[]] * 3


def test_the_archives_own_credentials_are_in_nothing_that_the_vendor_got(
    home: LendingHome, lent: Lending
) -> None:
    (scan,) = home.settle({"scan": home.made(["a.txt"])})
    assert scan.state == ScanState.ARCHIVED, home.history(scan)
    assert [secret for secret in lent.own if secret in home.sent] == []
    assert [secret for secret in lent.lent if secret not in home.sent] == []


def test_what_is_lent_is_in_no_text_that_is_kept(home: LendingHome, lent: Lending) -> None:
    home.faults(export=["fails"])
    (scan,) = home.settle({"scan": home.made(["a.txt"])})
    told = home.history(scan) + "".join(
        path.read_bytes().decode("latin-1") for path in home.folder.rglob("*") if path.is_file()
    )
    assert [secret for secret in (*lent.lent, *lent.own) if secret in told] == []
