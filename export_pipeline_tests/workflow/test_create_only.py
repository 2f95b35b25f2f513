"""A store that replaces what it has: who may write there, and that a seal is written once."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from export_pipeline.errors import StoreUnavailable
from export_pipeline.ledger import leases
from export_pipeline.ledger.rows import Scan, ScanState
from export_pipeline.receiver import guard
from export_pipeline.storage.open import open_store
from export_pipeline.workflow import seal as sealing
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.seal import seal
from export_pipeline.workflow.targets import upload_target
from export_pipeline_tests.servers.faults import Gate
from export_pipeline_tests.servers.nginx import Nginx
from export_pipeline_tests.servers.receiver import running
from export_pipeline_tests.workflow.stepped import Stepped

TAGS = ("bagit.txt", "bag-info.txt", "manifest-sha256.txt", "provenance.json")
SEAL = "tagmanifest-sha256.txt"
S3_KEYS = {"EXPORT_S3_ACCESS_KEY_ID": "AK", "EXPORT_S3_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture
def gate(home: Stepped, nginx: Nginx) -> Iterator[Gate]:
    """Notes every request; the home's store is nginx behind it."""
    gate = Gate(nginx.url)
    with running(gate) as url:
        home.store = open_store(nginx.new_folder().replace(nginx.url, url), nginx.variables())  # type: ignore[assignment]
        yield gate


def written(gate: Gate) -> Counter[str]:
    """How often each tag file and the seal was written."""
    puts = [line.rpartition("/")[2] for line in gate.requests if line.startswith("PUT ")]
    return Counter(name for name in puts if name in (*TAGS, SEAL))


def frozen(home: Stepped, monkeypatch: pytest.MonkeyPatch) -> Scan:
    """A scan that waits for nothing but its seal."""

    async def refused(*_: object) -> None:
        raise StoreUnavailable("not now")

    scan = home.ordered('a/../b%2f;:"<x>')
    home.deliver(home.newest(scan))
    with monkeypatch.context() as patch:
        patch.setattr(sealing.bag, "seal", refused)
        home.collect()
    assert home.events(scan)[-1] == "not sealed yet"
    home.now += guard.LEASE_SECONDS + 1
    return home.scan(scan)


def test_of_two_who_seal_at_once_one_writes_and_the_other_looks(
    home: Stepped, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = frozen(home, monkeypatch)

    async def both(pipeline: Pipeline) -> None:
        await asyncio.gather(*(seal(pipeline, scan, 1) for _ in range(2)))

    home.run(both)
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert written(gate) == dict.fromkeys((*TAGS, SEAL), 1)


def test_a_seal_that_another_writes_is_left_to_it_for_now(
    home: Stepped, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "WAIT_SECONDS", 0.1)
    scan = frozen(home, monkeypatch)
    key = f"{home.folder(scan).relative_to(home.home / 'archive')}/{SEAL}"
    home.write(leases.acquire, guard.LEASE_PREFIX + key, "another", 60.0)
    with pytest.raises(StoreUnavailable, match="being written by another"):
        home.reconcile()
    assert written(gate) == {}
    home.now += 61
    home.reconcile()
    assert home.scan(scan).state == ScanState.ARCHIVED


@pytest.mark.parametrize(("create_only", "straight"), [("true", True), ("false", False)])
def test_a_vendor_writes_straight_into_a_store_only_if_that_refuses_a_second_write(
    home: Stepped, create_only: str, straight: bool
) -> None:
    said = {**S3_KEYS, "EXPORT_S3_CREATE_ONLY": create_only}
    pipeline = home.pipeline(store=open_store("s3://bucket/archive", said))
    scan = home.ordered("essay")
    order = home.newest(scan)
    for artifact in home.artifacts(scan).values():
        url = upload_target(pipeline, scan, order, artifact).url
        assert url.startswith("https://bucket.s3." if straight else "http://receiver.example/")
