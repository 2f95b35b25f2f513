"""Verifying: what an audit keeps, whom it tells, and what it does not take for damage."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from export_pipeline.archive.fixity import FixityReport
from export_pipeline.archive.fixity_records import FixityRecord, read_records
from export_pipeline.archive.signature import NO_KEYS
from export_pipeline.errors import StoreUnavailable
from export_pipeline.ledger import audits, events, generations, reports
from export_pipeline.ledger.database import Ledger, Tx, sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline.ledger.rows import Generation, GenerationState, Report
from export_pipeline.ledger.schema import artifacts, scans
from export_pipeline.ledger.schema import generations as generation_table
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject
from export_pipeline.workflow.auditing import inventory, verify
from export_pipeline.workflow.auditing.bags import every_bag
from export_pipeline.workflow.auditing.verify import Auditor
from export_pipeline_tests.archive.signing import signing
from export_pipeline_tests.workflow.archives import REPORT, Archive, flip_a_bit
from export_pipeline_tests.workflow.auditing.damages import alter_everything, delete_all

_runs = itertools.count()
HOSTILE = 'a/../b%2f;:"<x> =2e ü'


class WatchedStore(LocalStore):
    """A store that has checksums, remembers what was read, and fails where it is told to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.read: list[str] = []
        self.written: Counter[str] = Counter()
        self.failing = ""

    def open(self, key: str, *, offset: int = 0) -> AsyncIterator[bytes]:
        self.read.append(key)
        if self.failing and self.failing in key:
            raise StoreUnavailable(f"{key}: time-out")
        return super().open(key, offset=offset)

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        if self.failing and self.failing in key:
            raise StoreUnavailable(f"{key}: time-out")
        self.written[key] += 1
        return await super().put(key, chunks, content_type=content_type)

    async def stat(self, key: str) -> StoredObject | None:
        found = await super().stat(key)
        if found is None:
            return None
        return StoredObject(found.key, found.size, f"test:{self.written[key]}")


@pytest.fixture
def store(tmp_path: Path) -> WatchedStore:
    return WatchedStore(tmp_path / "archive")


@pytest.fixture
def archive(tmp_path: Path, store: WatchedStore) -> Iterator[Archive]:
    ledger = make_ledger(sqlite_url(tmp_path))
    yield Archive(ledger, store)
    ledger.close()


async def audit(archive: Archive, **more: Any) -> FixityReport:
    run_id = f"{next(_runs):08}"
    auditor = Auditor(archive.ledger, archive.store, more.pop("keys", NO_KEYS), run_id, **more)
    return await auditor.audit(every_bag(archive.ledger))


def outstanding(ledger: Ledger) -> list[Report]:
    with ledger.write() as tx:
        taken = reports.take(tx, "copyleaks", "test", limit=100, seconds=0)
        reports.shown(tx, [one.id for one in taken])
        return taken


def generation(ledger: Ledger) -> Generation:
    with ledger.read() as tx:
        (bag, *_) = audits.page(tx, limit=1)
        return generations.get(tx, bag.scan_id, bag.number)


async def records(store: LocalStore) -> list[FixityRecord]:
    return [one async for one in read_records(store, pytest.fail)]


def test_what_was_found_is_kept_in_the_ledger_and_in_the_store(archive: Archive) -> None:
    async def scenario() -> None:
        prefix = await archive.add(HOSTILE)
        assert (await audit(archive)).problems == []
        await archive.replace(prefix + REPORT, flip_a_bit)
        (said,) = (await audit(archive)).problems
        found = generation(archive.ledger)
        assert found.damage == said == f"{prefix}{REPORT} changed since it was sealed"
        kept = await records(archive.store)
        assert [one.damage for one in kept] == ["", said]
        assert kept[1].audited_at == pytest.approx(found.audited_at, abs=0.001)
        assert (kept[1].scan.scan, kept[1].generation, kept[1].files) == (HOSTILE, 1, 6)

    asyncio.run(scenario())


def test_dagster_is_told_of_damage_once_and_that_the_bag_is_whole_again(archive: Archive) -> None:
    async def scenario() -> None:
        prefix = await archive.add(HOSTILE)
        await audit(archive)
        assert outstanding(archive.ledger) == []
        await archive.replace(prefix + REPORT, flip_a_bit)
        await audit(archive)
        await audit(archive)
        (told,) = outstanding(archive.ledger)
        assert (told.asset, told.status) == ("bag", reports.FAILED)
        assert f"{REPORT} changed" in told.metadata["reason"]
        await archive.replace(prefix + REPORT, flip_a_bit)
        await audit(archive)
        (told,) = outstanding(archive.ledger)
        assert (told.asset, told.status) == ("bag", "archived")
        with archive.ledger.read() as tx:
            history = events.history(tx, told.scan_id)
        assert [one.event for one in history[-2:]] == ["damaged", "whole again"]

    asyncio.run(scenario())


def test_a_scan_is_not_called_whole_while_another_of_its_bags_is_damaged(archive: Archive) -> None:
    async def scenario() -> None:
        prefixes = [await archive.add(HOSTILE) for _ in range(2)]
        for prefix in prefixes:
            await archive.replace(prefix + REPORT, flip_a_bit)
        await audit(archive)
        assert len(outstanding(archive.ledger)) == 2
        await archive.replace(prefixes[0] + REPORT, flip_a_bit)
        await audit(archive)
        assert outstanding(archive.ledger) == []

    asyncio.run(scenario())


def test_a_store_that_fails_is_told_and_is_no_damage(archive: Archive, store: WatchedStore) -> None:
    async def scenario() -> None:
        await archive.add("essay-1")
        prefix = await archive.add("essay-2")
        store.failing = "essay-1/1/data"
        report = await audit(archive)
        (problem,) = report.problems
        assert "essay-1/1/: it could not be read" in problem
        assert "time-out" in problem
        assert report.bags == 2
        assert generation(archive.ledger).audited_at is None
        assert generation(archive.ledger).damage == ""
        assert [one.scan.scan for one in await records(store)] == [prefix.split("/")[2]]

    asyncio.run(scenario())


def test_a_record_that_cannot_be_kept_is_told(archive: Archive, store: WatchedStore) -> None:
    async def scenario() -> None:
        await archive.add("essay-1")
        store.failing = "fixity/"
        report = await audit(archive)
        assert report.problems == []
        (said,) = report.unkept
        assert said.startswith("the record of this audit could not be kept: fixity/")
        assert generation(archive.ledger).audited_at is not None

    asyncio.run(scenario())


def test_a_scan_that_was_forgotten_meanwhile_is_no_damage_and_leaves_no_record(
    archive: Archive, store: WatchedStore
) -> None:
    async def forgetting() -> AsyncIterator[audits.SealedBag]:
        async for bag in every_bag(archive.ledger):
            await delete_all(archive, "copyleaks/default/essay-1/1/")
            await archive.ledger.apply(_delete, bag.scan_id)
            yield bag

    async def scenario() -> None:
        await archive.add("essay-1")
        auditor = Auditor(archive.ledger, store, NO_KEYS, "run-1")
        assert (await auditor.audit(forgetting())).problems == []
        assert await records(store) == []

    asyncio.run(scenario())


def test_a_scan_that_is_forgotten_while_its_record_is_written_is_taken_out_again(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = verify.write_records
    written: list[int] = []

    async def forgotten_meanwhile(*arguments: Any) -> StoredObject:
        made = await write(*arguments)
        if not written:
            await archive.ledger.apply(lambda tx: tx.run(_abandoned("essay-1")))
        written.append(len(arguments[-1]))
        return made

    monkeypatch.setattr(verify, "write_records", forgotten_meanwhile)

    async def scenario() -> None:
        for number in range(3):
            await archive.add(f"essay-{number}")
        await audit(archive)
        assert written == [3, 2]
        assert {one.scan.scan for one in await records(archive.store)} == {"essay-0", "essay-2"}

    asyncio.run(scenario())


def _abandoned(scan: str) -> sa.Update:
    """What `forget` does first."""
    scan_id = sa.select(scans.c.id).where(scans.c.scan == scan).scalar_subquery()
    change = sa.update(generation_table).where(generation_table.c.scan_id == scan_id)
    return change.values(state=GenerationState.ABANDONED)


def _delete(tx: Tx, scan_id: int) -> None:
    tx.run(artifacts.delete().where(artifacts.c.scan_id == scan_id))
    tx.run(generation_table.delete().where(generation_table.c.scan_id == scan_id))


def test_records_of_many_bags_are_written_in_tables_of_bounded_size(
    archive: Archive, store: WatchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    write = verify.write_records

    async def counted(*arguments: Any) -> StoredObject:
        sizes.append(len(arguments[-1]))
        return await write(store, arguments[1], f"{len(sizes)}", arguments[-1])

    monkeypatch.setattr(verify, "RECORDS_PER_TABLE", 4)
    monkeypatch.setattr(verify, "write_records", counted)

    async def scenario() -> None:
        for number in range(10):
            await archive.add(f"essay-{number}")
        await audit(archive)
        assert sizes == [4, 4, 2]
        assert len(await records(store)) == 10

    asyncio.run(scenario())


def test_a_bag_with_many_broken_files_is_told_of_in_bounded_words(archive: Archive) -> None:
    async def scenario() -> None:
        payload = {f"results/{number}.json": b"{}" for number in range(50)}
        prefix = await archive.add("essay-1", payload)
        for name in payload:
            await archive.store.delete(f"{prefix}data/{name}")
        report = await audit(archive)
        assert len(report.problems) == 50
        lines = generation(archive.ledger).damage.splitlines()
        assert len(lines) == verify.SENTENCES_KEPT + 1
        assert lines[-1] == "and 30 more"

    asyncio.run(scenario())


def test_a_stores_own_checksum_is_trusted_only_where_the_user_chose_so(
    archive: Archive, store: WatchedStore
) -> None:
    async def scenario() -> None:
        prefix = await archive.add("essay-1")
        store.read.clear()
        assert (await audit(archive, trust_store=True)).problems == []
        assert not any(key.startswith(prefix + "data/") for key in store.read)
        assert (await audit(archive)).problems == []
        assert prefix + REPORT in store.read

    asyncio.run(scenario())


def test_a_file_whose_checksum_of_the_store_is_another_is_reread(
    archive: Archive, store: WatchedStore
) -> None:
    async def scenario() -> None:
        prefix = await archive.add("essay-1")
        await archive.replace(prefix + REPORT, lambda data: data)
        store.read.clear()
        assert (await audit(archive, trust_store=True)).problems == []
        assert [key for key in store.read if "/data/" in key] == [prefix + REPORT]
        await archive.replace(prefix + REPORT, flip_a_bit)
        (problem,) = (await audit(archive, trust_store=True)).problems
        assert problem == f"{prefix}{REPORT} changed since it was sealed"

    asyncio.run(scenario())


def test_under_another_seal_no_checksum_is_trusted(archive: Archive, store: WatchedStore) -> None:
    async def scenario() -> None:
        prefix = await archive.add("essay-1")
        await alter_everything(archive, prefix)
        store.read.clear()
        report = await audit(archive, trust_store=True)
        assert report.names["seal"] == [prefix]
        assert prefix + REPORT in store.read

    asyncio.run(scenario())


def test_a_rewritten_bag_is_told_by_its_signature_although_the_ledger_knows_no_seal(
    archive: Archive,
) -> None:
    async def scenario() -> None:
        keys = signing(Ed25519PrivateKey.generate())
        prefix = await archive.add(HOSTILE, keys=keys)
        forget = generation_table.update().values(seal_sha256="")
        await archive.ledger.apply(lambda tx: tx.run(forget))
        assert (await audit(archive, keys=keys)).problems == []
        await alter_everything(archive, prefix)
        (problem,) = (await audit(archive, keys=keys)).problems
        assert problem.startswith(f"{prefix}: its signature does not hold")

    asyncio.run(scenario())


def test_when_most_bags_are_gone_the_store_is_doubted_and_few_are_audited(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "GONE_AUDITED", 2)

    async def scenario() -> None:
        for number in range(5):
            await delete_all(archive, await archive.add(f"essay-{number}"))
        found = await inventory.take_inventory(archive.ledger, archive.store)
        assert [bag.key.scan for bag in found.gone] == ["essay-0", "essay-1"]
        (problem,) = found.problems
        assert problem.startswith("3 more bags of the ledger are not in the store")

    asyncio.run(scenario())


def test_what_is_sealed_or_registered_while_the_store_is_listed_is_not_called_gone(
    archive: Archive, store: WatchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = store.list

    async def slow(prefix: str = "") -> AsyncIterator[StoredObject]:
        found = [one async for one in listed(prefix)]
        await archive.add("late")
        for one in found:
            yield one

    async def scenario() -> None:
        await archive.add("essay-1")
        monkeypatch.setattr(store, "list", slow)
        assert await inventory.take_inventory(archive.ledger, store) == inventory.Inventory()

    asyncio.run(scenario())
