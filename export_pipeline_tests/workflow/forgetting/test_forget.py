"""Forgetting a scan leaves nothing of it, whoever works, posts or uploads meanwhile."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from io import BytesIO

import httpx
import pyarrow as pa
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from export_pipeline.archive.fixity_records import SCHEMA
from export_pipeline.archive.holds import is_held
from export_pipeline.archive.layout import FIXITY_FOLDER, REPORT_FOLDER, SEAL_NAME
from export_pipeline.archive.tables import read_table, table_key, write_table
from export_pipeline.archive.tombstones import read_tombstones
from export_pipeline.errors import ConfigError, NotForgotten, VendorUnavailable
from export_pipeline.ledger import holds, inbox, leases, registry, schema, tombstones
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import ScanState
from export_pipeline.receiver import uploads
from export_pipeline.sandbox import ScanSpec
from export_pipeline.scans import ScanKey
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject, StoredVersion, pieces
from export_pipeline.workflow.collect import collect
from export_pipeline.workflow.completion import read_completions
from export_pipeline.workflow.forgetting.hold import hold, release
from export_pipeline.workflow.forgetting.retention import Retained, retain
from export_pipeline.workflow.formats import format_of
from export_pipeline.workflow.importing import Imported, import_scans
from export_pipeline.workflow.letters import import_bodies
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.send import drain
from export_pipeline_tests.workflow.forgetting.traces import Seen, forgetting, naming, spellings
from export_pipeline_tests.workflow.world import World

HOSTILE = 'a/../b%2f;:"<x>=2e'
OTHER = "a/../b%2f;:"


def key(scan: str) -> ScanKey:
    return ScanKey("copyleaks", "default", scan)


def spec(scan: str) -> ScanSpec:
    return ScanSpec(scan, results=2)


def test_nothing_names_a_forgotten_scan_in_the_home_and_the_store(one_world: World) -> None:
    (one, _) = one_world.archive([spec(HOSTILE), spec(OTHER)])
    order = one_world.orders(HOSTILE)[0]
    before = one_world.stored(OTHER)
    pipeline, view = one_world.pipeline(), Seen()
    assert naming(one_world.home, *spellings(HOSTILE))
    done = one_world.run(pipeline, forgetting(one.key, view=view))
    assert done.keys == view.gone == [key(HOSTILE)]
    assert done.objects > 5
    assert "the log of the view" in done.stays
    one_world.ledger.wipe()
    assert naming(one_world.home, *spellings(HOSTILE), order.id.encode()) == []
    assert one_world.look(registry.find, one.key) is None
    assert one_world.scan(OTHER).state == ScanState.ARCHIVED
    assert one_world.stored(OTHER) == before == one_world.recorded(OTHER)


def test_a_late_webhook_is_answered_and_neither_kept_nor_registered(one_world: World) -> None:
    (scan,) = one_world.archive([spec("late-webhook")])
    (order,) = one_world.orders(scan.scan)
    body = one_world.look(body_of, scan.scan)
    pipeline = one_world.pipeline()
    one_world.run(pipeline, forgetting(scan.key))
    before = count(one_world, schema.inbox)
    completed = one_world.addresses.scan_webhook("copyleaks", "default")
    exported = one_world.addresses.order_webhook(order)
    for target, content in ((completed, body), (exported, b'{"completed": true, "tasks": []}')):
        url = target.url.replace("{STATUS}", "completed")
        told = httpx.post(url, headers=dict(target.headers), content=content)
        assert told.status_code == 200
    assert count(one_world, schema.inbox) == before
    metrics = httpx.get(f"{one_world.settings.receiver_url}/metrics").text
    assert 'export_forgotten_total{vendor="copyleaks",topic="orders"} 1' in metrics
    assert one_world.register(pipeline) == []
    assert one_world.look(registry.find, scan.key) is None


def test_a_webhook_kept_before_is_deleted_when_it_is_read(one_world: World) -> None:
    (scan,) = one_world.archive([spec("kept-webhook")])
    body = one_world.look(body_of, scan.scan)
    pipeline = one_world.pipeline()
    one_world.run(pipeline, forgetting(scan.key))
    before = count(one_world, schema.inbox)
    told = {"vendor": "copyleaks", "account": "default", "topic": inbox.SCANS}
    one_world.write(inbox.receive, subject="completed", headers={}, body=body, **told)
    assert one_world.register(pipeline) == []
    assert count(one_world, schema.inbox) == before
    one_world.ledger.wipe()
    assert naming(one_world.home, b'"kept-webhook"') == []


def test_a_webhook_of_another_scan_that_quotes_it_is_read_before_it_goes(one_world: World) -> None:
    (scan,) = one_world.archive([spec("quoted")])
    body = one_world.look(body_of, scan.scan).replace(b'"quoted"', b'"quoting"', 1)
    told = {"vendor": "copyleaks", "account": "default", "topic": inbox.SCANS}
    extended = body[:-1] + b', "developerPayload": "quoted"}'
    one_world.write(inbox.receive, subject="completed", headers={}, body=extended, **told)
    one_world.run(one_world.pipeline(), forgetting(scan.key))
    assert one_world.scan("quoting").state != ScanState.FORGOTTEN
    one_world.ledger.wipe()
    assert b'"quoted"' not in (one_world.home / "ledger.sqlite").read_bytes()


def test_a_late_upload_is_refused_and_leaves_nothing(one_world: World) -> None:
    one_world.create([spec("late-upload")])
    one_world.complete(["late-upload"])
    pipeline = one_world.pipeline()
    one_world.register(pipeline)
    (order,) = one_world.orders("late-upload")
    target = one_world.addresses.upload(order.id, "pdf_report.pdf")
    done = one_world.run(pipeline, forgetting(key("late-upload")))
    assert done.keys == [key("late-upload")]
    answer = httpx.put(target.url, headers=dict(target.headers), content=b"%PDF-late")
    assert answer.status_code == 404
    assert naming(one_world.home, b"late-upload") == []


@pytest.mark.parametrize("quick_seconds", [0.0, 60.0])
def test_an_upload_that_began_before_and_ends_after_leaves_nothing(
    one_world: World, monkeypatch: pytest.MonkeyPatch, quick_seconds: float
) -> None:
    """Whether the receiver asks the ledger once more before it publishes, or only afterwards."""
    monkeypatch.setattr(uploads, "QUICK_SECONDS", quick_seconds)
    name = f"slow-upload-{quick_seconds:.0f}"
    one_world.create([spec(name)])
    one_world.complete([name])
    pipeline = one_world.pipeline()
    one_world.register(pipeline)
    (order,) = one_world.orders(name)
    target = one_world.addresses.upload(order.id, "pdf_report.pdf")

    def body() -> Iterator[bytes]:
        yield b"%PDF-"
        one_world.run(pipeline, forgetting(key(name)))
        yield b"late"

    answer = httpx.put(target.url, headers=dict(target.headers), content=body(), timeout=60)
    assert answer.status_code == 404
    assert naming(one_world.home, name.encode()) == []


def test_a_queued_order_is_never_sent(one_world: World) -> None:
    one_world.create([spec("queued")])
    one_world.complete(["queued"])
    pipeline = one_world.pipeline()
    one_world.register(pipeline)
    one_world.run(pipeline, forgetting(key("queued")))
    one_world.settle(pipeline, [])
    assert one_world.ordered("queued") == []


def test_an_import_leaves_out_what_was_forgotten_and_says_how_many(one_world: World) -> None:
    (scan,) = one_world.archive([spec("imported")])
    body = one_world.look(body_of, scan.scan)
    pipeline = one_world.pipeline()
    one_world.run(pipeline, forgetting(scan.key))
    listed = Imported()
    form = format_of("copyleaks")
    secret = pipeline.settings.tombstone_secret
    import_scans(
        one_world.ledger,
        form,
        BytesIO(b"imported\nimported-too\n"),
        account="default",
        secret=secret,
        imported=listed,
    )
    assert (listed.new, listed.forgotten) == (1, 1)
    posted = Imported()
    import_bodies(
        one_world.ledger,
        pipeline.vendor,
        pipeline.settings,
        [("line 1", body)],
        account="default",
        imported=posted,
    )
    assert (posted.new, posted.forgotten) == (0, 1)
    assert one_world.look(registry.find, scan.key) is None


def test_with_another_key_nothing_is_registered_and_nothing_forgotten(one_world: World) -> None:
    (scan, other) = one_world.archive([spec("other-key"), spec("other-key-2")])
    one_world.run(one_world.pipeline(), forgetting(scan.key))
    stranger = one_world.pipeline(tombstone_key=SecretStr("another"))
    with pytest.raises(ConfigError, match="EXPORT_TOMBSTONE_KEY is not the key"):
        one_world.run(stranger, forgetting(other.key))
    with pytest.raises(ConfigError, match="EXPORT_TOMBSTONE_KEY is not the key"):
        one_world.look(tombstones.forgotten, "another", [scan.key])
    with pytest.raises(ConfigError, match="EXPORT_TOMBSTONE_KEY is not set"):
        one_world.look(tombstones.forgotten, None, [scan.key])
    assert one_world.scan("other-key-2").state == ScanState.ARCHIVED


def test_the_store_has_a_tombstone_that_names_nobody(one_world: World) -> None:
    (scan,) = one_world.archive([spec("buried")])
    one_world.run(one_world.pipeline(), forgetting(scan.key))
    secret = one_world.settings.tombstone_secret
    assert secret is not None
    digest = tombstones.scan_digest(secret, scan.key)

    async def stored() -> dict[str, str]:
        return {one.digest: one.reason async for one in read_tombstones(one_world.store)}

    found = asyncio.run(stored())
    assert found[digest] == "case 42"
    assert tombstones.key_digest(secret) in found


def test_a_held_scan_is_kept_until_it_is_released(one_world: World) -> None:
    (scan,) = one_world.archive([spec("held")])
    before = one_world.stored("held")
    place = (one_world.settings, one_world.ledger, one_world.store)
    asyncio.run(hold(*place, scan.key, "case 7"))
    assert asyncio.run(hold(*place, scan.key, "another")).reason == "case 7"
    with pytest.raises(NotForgotten, match=r"held is on hold since .*: case 7; release it"):
        one_world.run(one_world.pipeline(), forgetting(scan.key))
    assert one_world.stored("held") == before
    one_world.write(holds.release, scan.key)
    with pytest.raises(NotForgotten, match="on hold in the store, which the ledger does not know"):
        one_world.run(one_world.pipeline(), forgetting(scan.key))
    assert asyncio.run(release(one_world.ledger, one_world.store, scan.key)) is False
    assert not asyncio.run(is_held(one_world.store, scan.key))
    one_world.run(one_world.pipeline(), forgetting(scan.key))
    with pytest.raises(NotForgotten, match="cannot be held: it is forgotten already"):
        asyncio.run(hold(*place, scan.key, "too late"))


def test_what_somebody_works_on_is_refused_before_anything_is_deleted(one_world: World) -> None:
    (scan,) = one_world.archive([spec("at-work")])
    before = one_world.stored("at-work")
    (order,) = one_world.orders("at-work")
    held = sa.update(schema.orders).where(schema.orders.c.id == order.id)
    one_world.write(lambda tx: tx.run(held.values(state="completed", lease_until=tx.now + 900)))
    with pytest.raises(NotForgotten, match=f"its order {order.id} is being collected; nothing was"):
        one_world.run(one_world.pipeline(), forgetting(scan.key, patience=2.0))
    one_world.write(lambda tx: tx.run(held.values(state="closed", lease_until=None)))
    view = Seen("a backfill is under way")
    with pytest.raises(NotForgotten, match="a backfill is under way; try again"):
        one_world.run(one_world.pipeline(), forgetting(scan.key, view=view))
    assert one_world.stored("at-work") == before
    assert one_world.scan("at-work").state == ScanState.ARCHIVED
    one_world.run(one_world.pipeline(), forgetting(scan.key))


def test_a_vendor_that_can_still_write_by_itself_is_waited_for(one_world: World) -> None:
    """Nothing takes a signed URL back: what it writes after the erasure nobody would find."""
    (scan,) = one_world.archive([spec("signed")])
    pipeline = replace(one_world.pipeline(), store=SigningStore(one_world.home / "archive"))
    with pytest.raises(NotForgotten, match="copyleaks can write into the store until 20"):
        one_world.run(pipeline, forgetting(scan.key))
    assert one_world.stored("signed") == one_world.recorded("signed")


def test_a_locked_object_is_named_before_anything_is_deleted(one_world: World) -> None:
    scan, other = one_world.archive([spec("all-locked"), spec("not-locked")])
    locking = replace(one_world.pipeline(), store=LockingStore(one_world.home / "archive"))
    with pytest.raises(NotForgotten, match=r"data/pdf_report.pdf is kept by a lock until 2040"):
        one_world.run(locking, forgetting(other.key, scan.key))
    for one in ("all-locked", "not-locked"):
        assert one_world.stored(one) == one_world.recorded(one)
        assert one_world.scan(one).state == ScanState.ARCHIVED


def test_the_retention_passes_over_what_something_keeps_and_says_what(one_world: World) -> None:
    scans = one_world.archive([spec("locked"), spec("due-1"), spec("due-2")])
    long_ago = sa.update(schema.generations).where(
        schema.generations.c.scan_id.in_([one.id for one in scans])
    )
    one_world.write(lambda tx: tx.run(long_ago.values(sealed_at=0.0)))
    locking = replace(one_world.pipeline(), store=LockingStore(one_world.home / "archive"))

    async def work(pipeline: Pipeline) -> list[Retained]:
        return [await retain(pipeline, 30, Seen(), limit=limit) for limit in (2, 100)]

    first, second = one_world.run(locking, work)
    assert (first.forgotten, second.forgotten) == (1, 1)
    assert (first.left, second.left) == (True, False)
    for told in (first, second):
        assert len(told.kept) == 1
        assert "pdf_report.pdf is kept by a lock until 2040" in told.kept[0]
    assert one_world.scan("locked").state == ScanState.ARCHIVED
    one_world.run(one_world.pipeline(), forgetting(scans[0].key))


def test_every_snapshot_and_record_and_page_loses_its_rows_alone(one_world: World) -> None:
    one, other = one_world.archive([spec("in-tables"), spec("in-tables-too")])
    tables = [
        table_key(FIXITY_FOLDER, datetime(2026, 1, day, tzinfo=UTC), f"{day}aaaaaaaa")
        for day in (1, 2, 3)
    ]
    asyncio.run(write_fixity(one_world, tables[0], [one.key, other.key, one.key]))
    asyncio.run(write_fixity(one_world, tables[1], [other.key]))
    asyncio.run(write_fixity(one_world, tables[2], [one.key]))
    asyncio.run(put(one_world.store, f"{REPORT_FOLDER}1.html", b"<td>in-tables</td>"))
    asyncio.run(put(one_world.store, f"{REPORT_FOLDER}2.html", b"<td>another</td>"))
    done = one_world.run(one_world.pipeline(), forgetting(one.key))
    assert (done.tables, done.pages) == (2, 1)
    found = asyncio.run(read_fixity(one_world))
    assert [scans for _, scans in found] == [["in-tables-too"], ["in-tables-too"], []]
    names = [name for name, _ in found]
    assert names[1] == tables[1]
    assert names[0].startswith(tables[0].removesuffix(".parquet"))
    assert sorted(names) == names


def test_deletion_at_the_vendor_comes_first_and_where_it_fails_nothing_goes_here(
    one_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scan,) = one_world.archive([spec("at-vendor")])
    before = one_world.stored("at-vendor")
    away = {"EXPORT_COPYLEAKS_API_URL": "http://127.0.0.1:9"}
    pipeline = one_world.pipeline(copyleaks_api_url=away["EXPORT_COPYLEAKS_API_URL"])
    with pytest.raises(VendorUnavailable):
        one_world.run(pipeline, forgetting(scan.key, at_vendor=True))
    assert one_world.stored("at-vendor") == before
    assert one_world.scan("at-vendor").state == ScanState.FORGOTTEN
    done = one_world.run(one_world.pipeline(), forgetting(scan.key, at_vendor=True))
    assert not [words for words in done.stays if "--at-vendor" in words]
    with pytest.raises(httpx.HTTPStatusError):
        one_world.control("scans/complete", {"ids": ["at-vendor"]})


def test_a_scan_that_only_the_store_knows_is_forgotten_too(one_world: World) -> None:
    (scan,) = one_world.archive([spec("store-only")])
    for table in (schema.events, schema.reports, schema.artifacts, schema.orders):
        of_scan = sa.delete(table).where(table.c.scan_id == scan.id)
        one_world.write(lambda tx, gone=of_scan: tx.run(gone))
    one_world.write(lambda tx: tx.run(sa.delete(schema.generations)))
    one_world.write(lambda tx: tx.run(sa.delete(schema.scans).where(schema.scans.c.id == scan.id)))
    one_world.run(one_world.pipeline(), forgetting(scan.key))
    assert naming(one_world.home / "archive", b"store-only") == []


def test_two_do_not_forget_at_once(one_world: World) -> None:
    (scan,) = one_world.archive([spec("twice")])
    one_world.write(leases.acquire, "forget", "another process", 60.0)
    with pytest.raises(NotForgotten, match="another `forget` is at work"):
        one_world.run(one_world.pipeline(), forgetting(scan.key))
    one_world.write(leases.release, "forget", "another process")
    one_world.run(one_world.pipeline(), forgetting(scan.key))
    again = one_world.run(one_world.pipeline(), forgetting(scan.key))
    assert (again.objects, again.tables) == (0, 0)


def test_a_bag_that_is_being_sealed_meanwhile_leaves_nothing(one_world: World) -> None:
    """Its sealer was so slow that nobody waited for it."""
    name = "being-sealed"
    one_world.create([ScanSpec(name, results=1, artifacts=("crawledVersion",))])
    one_world.complete([name])
    one_world.register(one_world.pipeline())
    slow = SlowStore(one_world.home / "archive")
    slow.meanwhile = lambda: _forget_long_frozen(one_world, name)

    async def work(pipeline: Pipeline) -> None:
        await drain(pipeline, seconds=5)
        while one_world.look(registry.find, key(name)) is not None:
            await read_completions(pipeline)
            await collect(pipeline, limit=10)
            await asyncio.sleep(0.05)

    one_world.run(replace(one_world.pipeline(), store=slow), work)
    assert naming(one_world.home / "archive", name.encode()) == []


async def _forget_long_frozen(place: World, name: str) -> None:
    frozen = sa.update(schema.generations).where(
        schema.generations.c.scan_id == place.scan(name).id
    )
    place.write(lambda tx: tx.run(frozen.values(frozen_at=0.0)))
    done = await forgetting(key(name))(place.pipeline())
    assert done.keys == [key(name)]


class SlowStore(LocalStore):
    """A store in which somebody else does something right before the seal is written."""

    meanwhile: Callable[[], Awaitable[None]]

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        if key.endswith(SEAL_NAME):
            await self.meanwhile()
        return await super().put(key, chunks, content_type=content_type)


class SigningStore(LocalStore):
    """A store that signs uploads."""

    capabilities = replace(LocalStore.capabilities, signs_uploads=True)


class LockingStore(LocalStore):
    """A store that keeps one file."""

    async def versions(self, key: str) -> AsyncIterator[StoredVersion]:
        async for found in super().versions(key):
            is_kept = found.key.endswith("locked/1/data/pdf_report.pdf") and "not-" not in found.key
            yield replace(found, lock="a lock until 2040" if is_kept else "")


def count(place: World, table: sa.Table) -> int:
    rows = sa.select(sa.func.count()).select_from(table)
    return place.look(lambda tx: int(tx.connection.execute(rows).scalar_one()))


def body_of(tx: Tx, scan: str) -> bytes:
    """The webhook that registered a scan."""
    letters = tx.all(sa.select(schema.inbox.c.body).where(schema.inbox.c.topic == inbox.SCANS))
    return next(row.body for row in letters if f'"{scan}"'.encode() in row.body)


async def put(store: LocalStore, name: str, data: bytes) -> None:
    await store.put(name, pieces(data))


async def write_fixity(place: World, name: str, keys: list[ScanKey]) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        {**asdict(one), "generation": 1, "audited_at": moment, "files": 1, "bytes": 1, "damage": ""}
        for one in keys
    ]

    async def batches() -> AsyncIterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist(rows, SCHEMA)

    await write_table(place.store, name, SCHEMA, batches())


async def read_fixity(place: World) -> list[tuple[str, list[str]]]:
    """Each fixity record with the scans in it."""
    names = [one.key async for one in place.store.list(FIXITY_FOLDER)]
    return [
        (
            name,
            [
                row["scan"]
                async for part in read_table(place.store, name)
                for row in part.to_pylist()
            ],
        )
        for name in names
    ]
