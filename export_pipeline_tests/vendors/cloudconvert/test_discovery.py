"""Finding finished jobs and tasks: all of the last 24 hours, each once, and a warning of a gap."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from export_pipeline.errors import VendorError
from export_pipeline.ledger import cursors
from export_pipeline.ledger.schema import scans
from export_pipeline.vendors.cloudconvert.discovery import Look, discover, missed
from export_pipeline.vendors.cloudconvert.options import Found
from export_pipeline_tests.vendors.cloudconvert.bench import DAY_SECONDS
from export_pipeline_tests.vendors.cloudconvert.home import CloudConvertHome, home_of
from export_pipeline_tests.vendors.transport import answer

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[CloudConvertHome]:
    with home_of(tmp_path) as made:
        made.call("DELETE", "/v2/jobs/x")
        for job in made.sandbox.addresses["examples"]["cloudconvert"]["jobs"]:
            made.call("DELETE", f"/v2/jobs/{job}")
        yield made


def found(home: CloudConvertHome, what: Found = Found.JOBS) -> Look:
    vendor = home.vendor

    async def look() -> Look:
        try:
            return await discover(
                vendor.client("default"), vendor.options, home.ledger, what, secret=None
            )
        finally:
            await home.close()

    return asyncio.run(look())


def registered(home: CloudConvertHome) -> dict[str, tuple[str, float | None]]:
    with home.ledger.read() as tx:
        rows = tx.all(sa.select(scans.c.scan, scans.c.details, scans.c.expires_at))
    return {row.scan: (row.details["kind"], row.expires_at) for row in rows}


def clear(home: CloudConvertHome) -> None:
    """Let the vendor have none of the bench's own jobs."""
    for job in home.scans:
        home.call("DELETE", f"/v2/jobs/{job}")


def test_what_cannot_be_read_is_told_and_keeps_nothing_else_from_being_found(
    home: CloudConvertHome,
) -> None:
    """One odd job stopped each look, and what ended meanwhile was deleted before it was gone."""
    listed = home.call("GET", "/v2/jobs").json()
    first, *others = listed["data"]
    odd = {**first, "id": "an-odd-one", "ended_at": "yesterday"}
    page = {**listed, "data": [odd, first, *others]}
    home.planned.append(answer(200, text=json.dumps(page)))
    with pytest.raises(VendorError, match=r"an-odd-one.*ended_at"):
        found(home)
    assert registered(home).keys() == {one["id"] for one in (first, *others)}
    assert found(home).new == 0


def test_every_job_of_every_page_is_registered_with_its_end(home: CloudConvertHome) -> None:
    clear(home)
    specs = [{"files": [{"filename": "a"}], "age_seconds": 60.0 * n} for n in range(1, 206)]
    jobs = [one["id"] for one in home.made_jobs(*specs)]
    assert found(home) == Look(205)
    told = registered(home)
    assert told.keys() == set(jobs)
    ends = home.clock.now() + DAY_SECONDS - 60
    assert told[jobs[0]] == ("job", pytest.approx(ends, abs=1))
    assert home.stats()["calls"]["list"] == 3


def test_a_job_that_took_long_is_found_behind_pages_of_quick_ones(home: CloudConvertHome) -> None:
    """Lists come by when jobs began: a look left them at a page whose jobs had ended long ago."""
    clear(home)
    found(home)
    home.clock.advance(4 * 3600)
    found(home)
    quick = {"files": [{"filename": "a"}], "age_seconds": 3 * 3600.0}
    long = {"files": [{"filename": "b"}], "age_seconds": 600.0, "took_seconds": 5 * 3600.0}
    *_, made = home.made_jobs(*[quick] * 200, long)
    assert found(home) == Look(1)
    assert registered(home).keys() == {made["id"]}


def test_jobs_that_failed_or_that_orders_made_are_left_out(home: CloudConvertHome) -> None:
    clear(home)
    home.made([], error="broken")
    home.made(["a.txt"], tag="export-pipeline-" + "0" * 32)
    assert found(home) == Look(0)
    assert registered(home) == {}


def test_our_own_exports_are_never_found(home: CloudConvertHome) -> None:
    home.settle({"scan": home.scans[1]})
    found(home)
    assert registered(home).keys() == set(home.scans)


def test_only_jobs_of_a_tag_are_found_where_one_is_set(home: CloudConvertHome) -> None:
    mine = home.made(["a.txt"], tag="a/../b&c=d")
    home.vendor = home.make_vendor(EXPORT_CLOUDCONVERT_DISCOVER_TAG="a/../b&c=d")
    assert found(home) == Look(1)
    assert registered(home).keys() == {mine}


def test_of_tasks_those_are_found_that_no_job_and_no_export_is(home: CloudConvertHome) -> None:
    body = {"file": "dGV4dA==", "filename": "alone.txt"}
    alone = home.call("POST", "/v2/import/base64", body).json()["data"]["id"]
    home.call("POST", "/v2/export/url", {"input": alone})
    home.end()
    assert found(home, Found.TASKS) == Look(1)
    assert registered(home) == {
        alone: ("task", pytest.approx(home.clock.now() + DAY_SECONDS, abs=60))
    }
    (scan,) = home.settle({"scan": alone, "kind": "task"})
    assert home.payload(scan) == {"files/alone.txt": b"text"}


def test_a_look_that_fails_keeps_its_place(home: CloudConvertHome) -> None:
    home.made_jobs(*[{"files": [{"filename": "a"}]} for _ in range(150)])
    home.planned.extend([answer(503)])
    with pytest.raises(VendorError):
        found(home)
    assert home.look(cursors.load, "cloudconvert/default/jobs") is None
    assert found(home).new == 152


@pytest.mark.parametrize(
    ("hours_ago", "gap"),
    [(None, None), (1, None), (24, None), (30, (30, 24))],
)
def test_what_was_deleted_before_anybody_looked_is_told(
    hours_ago: int | None, gap: tuple[int, int] | None
) -> None:
    def ago(hours: int) -> datetime:
        return NOW - timedelta(hours=hours)

    told = missed(None if hours_ago is None else ago(hours_ago), NOW)
    assert told == (None if gap is None else (ago(gap[0]), ago(gap[1])))
