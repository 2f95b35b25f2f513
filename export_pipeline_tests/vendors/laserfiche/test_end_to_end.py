"""From a registered entry to a sealed bag, by the workflow as it is."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from export_pipeline.ledger import artifacts, orders, registry
from export_pipeline.ledger.home import make_ledger
from export_pipeline.ledger.rows import ArtifactState, OrderState, QueueClass, ScanState
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.sandbox import Sandbox, SandboxOptions
from export_pipeline.sandbox.laserfiche import EntrySpec, LaserficheOptions
from export_pipeline.scans import ScanKey
from export_pipeline.settings import Settings
from export_pipeline.storage.open import open_store
from export_pipeline.vendors.http import make_client
from export_pipeline.vendors.laserfiche.exports import Laserfiche
from export_pipeline.workflow.collect import collect
from export_pipeline.workflow.order import request
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.poll import poll
from export_pipeline.workflow.send import drain
from export_pipeline_tests.archive.catalogs import rebuilt, table
from export_pipeline_tests.vendors.laserfiche.bench import LARGE, environment
from export_pipeline_tests.vendors.laserfiche.judged import judged

TURNS = 8
VERIFIED, ABSENT, MISSING = (
    ArtifactState.VERIFIED.value,
    ArtifactState.ABSENT.value,
    ArtifactState.MISSING.value,
)


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    options = SandboxOptions(laserfiche=LaserficheOptions(pace="fast"))
    with Sandbox(options) as sandbox:
        settings = Settings.from_env(environment(sandbox), tmp_path)
        settings.make_home()
        with closing(make_ledger(settings.ledger_url)) as ledger:
            base = str(sandbox.addresses["laserfiche"])
            yield Pipeline(
                settings=settings,
                ledger=ledger,
                store=open_store(settings.storage_url, {}),
                vendor=Laserfiche(settings, ledger, http=lambda: judged(make_client(), base)),
                addresses=Addresses(settings.receiver_url, settings.secrets),
            )


def archive(pipeline: Pipeline, *specs: EntrySpec, **details: Any) -> None:
    """Put the entries into the repository, and see their scans through."""
    control(pipeline, "/entries", [spec.to_json() for spec in specs])
    with pipeline.ledger.write() as tx:
        for spec in specs:
            key = ScanKey("laserfiche", "default", str(spec.id))
            scan, _ = registry.register(tx, key, source="test", details=details)
            request(tx, pipeline.vendor, scan, queue_class=QueueClass.HAND)
    asyncio.run(_see_through(pipeline))


def control(pipeline: Pipeline, path: str, body: Any) -> None:
    base = pipeline.settings.vendor_variables["EXPORT_LASERFICHE_URL"]
    url = base.replace("/laserfiche", "/sandbox/laserfiche") + path
    httpx.post(url, json=body).raise_for_status()


async def _see_through(pipeline: Pipeline) -> None:
    for _ in range(TURNS):
        await drain(pipeline, seconds=10, linger=0.1)
        await poll(pipeline, seconds=3, linger=0.3)
        await collect(pipeline, limit=100)
        with pipeline.ledger.read() as tx:
            if set(orders.count_by_state(tx)) == {OrderState.CLOSED}:
                break
    await pipeline.vendor.aclose()


def came_to(pipeline: Pipeline, entry: int) -> tuple[str, dict[str, str]]:
    with pipeline.ledger.read() as tx:
        scan = registry.get(tx, ScanKey("laserfiche", "default", str(entry)))
        found = artifacts.of_generation(tx, scan.id, scan.generation)
    return scan.state.value, {one.name: one.state.value for one in found}


def test_every_part_that_an_entry_has_is_archived_and_the_others_are_absent(
    pipeline: Pipeline,
) -> None:
    archive(
        pipeline,
        EntrySpec("all", id=201, pages=3, extension="PDF", edoc_bytes=9_000),
        EntrySpec("pages", id=202, pages=LARGE),
        EntrySpec("file", id=203, extension="docx", edoc_bytes=900),
    )
    archived = ScanState.ARCHIVED.value
    all_parts = dict.fromkeys(("image.tiff", "text.txt", "edoc.pdf"), VERIFIED)
    assert came_to(pipeline, 201) == (archived, all_parts)
    pages = {"image.tiff": VERIFIED, "text.txt": VERIFIED, "edoc": ABSENT}
    assert came_to(pipeline, 202) == (archived, pages)
    file = {"image": ABSENT, "text": ABSENT, "edoc.docx": VERIFIED}
    assert came_to(pipeline, 203) == (archived, file)
    bag = pipeline.settings.home / "archive" / "laserfiche" / "default" / "201" / "1"
    assert (bag / "tagmanifest-sha256.txt").exists()
    written = b"".join(one.read_bytes() for one in bag.rglob("*") if one.is_file())
    assert b"?sig=" not in written


@pytest.mark.parametrize(
    "trait",
    ["fails_first", "cancelled_first", "lost_first", "dead_link_first", "cut_first"],
)
@pytest.mark.parametrize("pages", [1, LARGE])
def test_what_goes_wrong_once_is_made_good(pipeline: Pipeline, trait: str, pages: int) -> None:
    archive(pipeline, EntrySpec("x", id=201, pages=pages, traits=(trait,)), parts=["Image"])
    assert came_to(pipeline, 201) == (ScanState.ARCHIVED.value, {"image.tiff": VERIFIED})


def test_a_file_that_came_broken_is_archived_in_the_next_generation(pipeline: Pipeline) -> None:
    spec = EntrySpec("x", id=201, pages=LARGE, traits=("corrupt_first",))
    archive(pipeline, spec, parts=["Image"])
    assert came_to(pipeline, 201) == (ScanState.ARCHIVED.value, {"image.tiff": VERIFIED})
    with pipeline.ledger.read() as tx:
        assert registry.get(tx, ScanKey("laserfiche", "default", "201")).generation == 2


@pytest.mark.parametrize("pages", [1, LARGE])
def test_a_link_that_dies_each_time_is_ordered_3_times_and_no_more(
    pipeline: Pipeline, pages: int
) -> None:
    control(pipeline, "/options", {"link_seconds": 0})
    archive(pipeline, EntrySpec("x", id=201, pages=pages), parts=["Image"])
    state, found = came_to(pipeline, 201)
    assert (state, list(found.values())) == (ScanState.FAILED.value, [MISSING])
    with pipeline.ledger.read() as tx:
        assert sum(orders.count_by_state(tx).values()) == 3
        scan = registry.get(tx, ScanKey("laserfiche", "default", "201"))
    assert "its link is dead or gone" in scan.reason


@pytest.mark.parametrize("trait", ["refused", "denied"])
def test_what_the_vendor_refuses_for_good_is_ordered_once(pipeline: Pipeline, trait: str) -> None:
    archive(pipeline, EntrySpec("x", id=201, pages=LARGE, traits=(trait,)), parts=["Image"])
    state, found = came_to(pipeline, 201)
    assert (state, list(found.values())) == (ScanState.FAILED.value, [MISSING])
    with pipeline.ledger.read() as tx:
        assert sum(orders.count_by_state(tx).values()) == 1


def test_the_pages_in_a_zip_stand_in_the_catalog_and_in_one_made_from_the_store(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    spec = EntrySpec("Plans", id=201, pages=3)
    png = {"imageOptions": {"format": "PNG"}}
    archive(pipeline, spec, parts=["Image"], options=png, entry={"name": "Plans", "pages": 3})
    [row] = table(pipeline.ledger).to_pylist()
    assert row["name"] == "image.zip"
    assert row["members"] == [f"Plans, Page {number}.png" for number in (1, 2, 3)]
    with closing(make_ledger(f"sqlite:///{tmp_path / 'new.sqlite'}")) as new:
        assert rebuilt(new, pipeline.store).added == 1
        assert table(new).equals(table(pipeline.ledger))
