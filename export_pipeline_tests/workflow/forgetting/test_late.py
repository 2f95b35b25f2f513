"""What comes or goes on after a scan was forgotten, or meanwhile, brings nothing of it back."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from dataclasses import replace
from io import BytesIO

import httpx
import pytest
import sqlalchemy as sa

from export_pipeline.archive.layout import SEAL_NAME
from export_pipeline.ledger import inbox, registry, schema
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import ScanState
from export_pipeline.receiver import uploads
from export_pipeline.sandbox import ScanSpec
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject
from export_pipeline.workflow.collect import collect
from export_pipeline.workflow.completion import read_completions
from export_pipeline.workflow.formats import format_of
from export_pipeline.workflow.importing import Imported, import_scans
from export_pipeline.workflow.letters import import_bodies
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.send import drain
from export_pipeline_tests.workflow.forgetting.traces import (
    forgetting,
    key,
    naming,
    spec,
)
from export_pipeline_tests.workflow.world import World


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


def test_a_bag_that_is_being_sealed_meanwhile_leaves_nothing(one_world: World) -> None:
    """Its sealer was so slow that nobody waited for it."""
    name = "being-sealed"
    one_world.create([ScanSpec(name, results=1, artifacts=("crawledVersion",))])
    one_world.complete([name])
    one_world.register(one_world.pipeline())
    slow = SlowStore(one_world.home / "archive")
    slow.meanwhile = lambda: _forget_long_frozen(one_world, name)

    async def work(pipeline: Pipeline) -> None:
        while one_world.look(registry.find, key(name)) is not None:
            await drain(pipeline, seconds=5)
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
    place.write(lambda tx: tx.run(sa.update(schema.leases).values(until=0.0)))
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


def count(place: World, table: sa.Table) -> int:
    rows = sa.select(sa.func.count()).select_from(table)
    return place.look(lambda tx: int(tx.connection.execute(rows).scalar_one()))


def body_of(tx: Tx, scan: str) -> bytes:
    """The webhook that registered a scan."""
    letters = tx.all(sa.select(schema.inbox.c.body).where(schema.inbox.c.topic == inbox.SCANS))
    return next(row.body for row in letters if f'"{scan}"'.encode() in row.body)
