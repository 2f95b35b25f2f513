import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_pipeline.errors import RateLimited, TurnMissed, VendorError, VendorUnavailable
from export_pipeline.sandbox import RealClock, Sandbox, SandboxOptions
from export_pipeline.sandbox.laserfiche import EntrySpec, LaserficheOptions
from export_pipeline.vendors.laserfiche.answers import Entry
from export_pipeline.vendors.laserfiche.discovery import (
    Cursor,
    Look,
    Source,
    search_command,
    sources,
)
from export_pipeline.vendors.laserfiche.options import LaserficheOptions as Options
from export_pipeline_tests.vendors.conformance import place
from export_pipeline_tests.vendors.laserfiche.bench import LARGE, LaserficheBench
from export_pipeline_tests.vendors.pulled import asked, placed

DAY = 86_400
NOW = 1_700_000_000.0
FOLDER = Source(folder=50)
SEARCH = Source(search='{LF:LookIn="\\In"} & {LF:Type="D"}')
OPTIONS = Options()
NEVER_LOOKED = Cursor()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LaserficheBench]:
    """Searches end by the clock, so it goes on."""
    clock = RealClock()
    options = SandboxOptions(laserfiche=LaserficheOptions(pace="fast"))
    with Sandbox(options, clock) as sandbox, LaserficheBench(tmp_path, sandbox, clock) as found:
        yield found


@pytest.fixture
def folder(bench: LaserficheBench) -> LaserficheBench:
    """A folder with a document of each of ten days, a folder and a shortcut."""
    bench.add(EntrySpec("In", id=50, type="Folder"), EntrySpec("Out", id=51, type="Folder"))
    bench.add(
        EntrySpec("Deep", id=70, type="Folder", parent=50, modified=NOW),
        EntrySpec("Link", id=71, type="Shortcut", parent=50, modified=NOW, target=60),
    )
    bench.add(
        *(
            EntrySpec(f"Doc {day}", id=60 + day, parent=50, modified=NOW - day * DAY)
            for day in range(10)
        )
    )
    return bench


def looked(
    bench: LaserficheBench,
    source: Source,
    cursor: Cursor = NEVER_LOOKED,
    now: float = NOW,
    **more: Any,
) -> tuple[list[str], Cursor]:
    """What one look finds, and where it ends."""

    async def scenario() -> tuple[list[str], Cursor]:
        options = OPTIONS.model_copy(update=more)
        look = Look(bench.vendor.client("default"), source, cursor, options, now)
        try:
            found = [one.scan async for page in look.pages() for one in page]
        finally:
            await bench.close()
        return sorted(found), look.cursor

    return asyncio.run(scenario())


def ids(*days: int) -> list[str]:
    return [str(60 + day) for day in days]


@pytest.mark.parametrize("source", [FOLDER, SEARCH])
def test_the_first_look_finds_every_document_and_nothing_else(
    folder: LaserficheBench, source: Source
) -> None:
    found, cursor = looked(folder, source)
    assert found == ids(*range(10))
    assert cursor == Cursor(modified=datetime.fromtimestamp(NOW, UTC), swept_at=NOW)


def test_a_document_is_registered_with_what_the_listing_tells(folder: LaserficheBench) -> None:
    async def scenario() -> dict[str, Any]:
        look = Look(folder.vendor.client("default"), FOLDER, Cursor(), OPTIONS, NOW)
        found = {one.scan: one.details async for page in look.pages() for one in page}
        await folder.close()
        return found

    entry = asyncio.run(scenario())["60"]["entry"]
    assert (entry["name"], entry["path"]) == ("Doc 0", "\\In\\Doc 0")


@pytest.mark.parametrize("source", [FOLDER, SEARCH])
def test_a_change_within_the_overlap_is_found_and_sets_the_cursor(
    folder: LaserficheBench, source: Source
) -> None:
    _, cursor = looked(folder, source)
    folder.control("PATCH", "/entries/69", {"modified": NOW + 60})
    found, moved = looked(folder, source, cursor, NOW + 120)
    assert {"60", "69"} <= set(found)
    assert moved.modified == datetime.fromtimestamp(NOW + 60, UTC)
    assert moved.swept_at == NOW


@pytest.mark.parametrize("source", [FOLDER, SEARCH])
def test_an_entry_that_appears_late_with_a_time_before_the_cursor_is_found(
    folder: LaserficheBench, source: Source
) -> None:
    """Within the overlap by the next look, and however old by the next sweep."""
    folder.control("PATCH", "/entries/61", {"parent": 51, "modified": NOW - 3_600})
    folder.control("PATCH", "/entries/69", {"parent": 51})
    first, cursor = looked(folder, source)
    assert not {"61", "69"} & set(first)
    folder.control("PATCH", "/entries/61", {"parent": 50})
    folder.control("PATCH", "/entries/69", {"parent": 50})
    soon, cursor = looked(folder, source, cursor, NOW + 600, overlap_seconds=DAY)
    assert "61" in soon
    later, cursor = looked(folder, source, cursor, NOW + DAY)
    assert "69" in later
    assert cursor.swept_at == NOW + DAY


def test_a_folder_is_left_at_the_first_page_that_is_older(folder: LaserficheBench) -> None:
    _, cursor = looked(folder, FOLDER)
    before = folder.stats()["calls"]["children"]
    folder.add(*(EntrySpec(f"old {one}", parent=50, modified=0) for one in range(200)))
    found, _ = looked(folder, FOLDER, cursor, NOW + 60)
    assert folder.stats()["calls"]["children"] - before == 1
    assert set(ids(0, 1)) <= set(found)
    swept, _ = looked(folder, FOLDER, cursor, NOW + DAY)
    assert len(swept) == 210


def test_a_folder_that_is_not_told_newest_first_is_read_to_its_end(
    folder: LaserficheBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export_pipeline.vendors.laserfiche.discovery.NEWEST_FIRST", "name asc")
    _, cursor = looked(folder, FOLDER)
    folder.add(*(EntrySpec(f"A {one}", parent=50, modified=one) for one in range(200)))
    found, _ = looked(folder, FOLDER, cursor, NOW + 60)
    assert len(found) == 210


def test_a_look_that_fails_moves_no_cursor_and_leaves_no_search_open(
    folder: LaserficheBench,
) -> None:
    for _ in range(3):
        folder.faults(tasks=["429"])
        with pytest.raises(RateLimited):
            looked(folder, SEARCH)
    found, _ = looked(folder, SEARCH)
    assert len(found) == 10


def test_a_search_that_is_not_understood_says_so(bench: LaserficheBench) -> None:
    with pytest.raises(VendorError, match=r"is not understood.*; correct EXPORT_LASERFICHE_SEARCH"):
        looked(bench, Source(search="a/../b%2f"))


def test_a_search_that_never_ends_is_given_up(bench: LaserficheBench) -> None:
    bench.options(pace="documented", hold_seconds=0)
    with pytest.raises(VendorUnavailable, match="it did not end in time"):
        looked(bench, Source(search='{LF:Name="*"}'))


def test_a_search_waits_for_the_accounts_one_long_operation_and_frees_it(
    folder: LaserficheBench,
) -> None:
    folder.options(long_operations=1)
    folder.vendor = folder.make_vendor(EXPORT_LASERFICHE_ONE_TASK="true")
    order = placed(folder, folder.placement(spec=EntrySpec("x", pages=LARGE, work_seconds=1)))
    with pytest.raises(TurnMissed, match="one long operation has not ended"):
        looked(folder, SEARCH)
    while not asked(folder, order):
        pass
    folder.faults(results=["503"])
    with pytest.raises(VendorUnavailable):
        looked(folder, SEARCH)
    assert len(looked(folder, SEARCH)[0]) == 10
    place(folder, folder.placement("102"))
    assert folder.stats()["limited"] == {}


def test_a_search_is_narrowed_by_whole_days_with_one_to_spare() -> None:
    since = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
    assert search_command("{a} | {b}", since) == '({a} | {b}) & {LF:Modified>="2026-02-28"}'
    assert search_command("{a}", None) == "{a}"


def test_an_account_may_have_both_sources_or_none(bench: LaserficheBench) -> None:
    account = bench.vendor.client("default").api.account
    assert sources(account) == []
    both = account.model_copy(update={"folder": 50, "search": "{a}"})
    assert [one.name for one in sources(both)] == ["folder 50", "search {a}"]


@given(st.lists(st.integers(0, 1 << 31)), st.integers(0, DAY))
def test_no_look_goes_back_less_than_the_overlap_before_the_newest_time_seen(
    times: list[int], overlap: int
) -> None:
    options = OPTIONS.model_copy(update={"overlap_seconds": overlap})
    cursor = Cursor(swept_at=NOW)
    for moment in times:
        cursor = cursor.past(entry(datetime.fromtimestamp(moment, UTC)))
    since = cursor.since(options, NOW + 1)
    if not any(times):
        assert since is None
    else:
        newest = datetime.fromtimestamp(min(max(times), NOW + 1), UTC)
        assert since == newest - timedelta(seconds=overlap)


def entry(modified: datetime) -> Entry:
    return Entry(id=1, entry_type="Document", last_modified_time=modified)


@pytest.mark.parametrize("source", [FOLDER, SEARCH])
def test_a_document_dated_in_the_future_hides_none_of_those_after_it(
    folder: LaserficheBench, source: Source
) -> None:
    """Somebody's clock was wrong once: nothing is to wait for the next sweep because of it."""
    folder.control("PATCH", "/entries/69", {"modified": NOW + 3_650 * DAY})
    _, cursor = looked(folder, source)
    folder.add(EntrySpec("new", id=200, parent=50, modified=NOW + 60))
    found, _ = looked(folder, source, cursor, NOW + 120)
    assert "200" in found


@pytest.mark.parametrize("source", [FOLDER, SEARCH])
def test_documents_without_a_date_are_looked_for_again_and_again(
    folder: LaserficheBench, source: Source
) -> None:
    """.NET writes the first moment of the year 1 for none."""
    cursor = NEVER_LOOKED.past(entry(datetime.min.replace(tzinfo=UTC)))
    found, _ = looked(folder, source, cursor.model_copy(update={"swept_at": NOW}), NOW + 120)
    assert found == ids(*range(10))


@pytest.mark.parametrize("number", [999_999, 60])
def test_a_folder_that_is_none_names_its_variable(folder: LaserficheBench, number: int) -> None:
    with pytest.raises(VendorError, match="correct EXPORT_LASERFICHE_FOLDER"):
        looked(folder, Source(folder=number))


def test_a_search_whose_token_ends_before_all_is_read_says_what_to_do(
    folder: LaserficheBench,
) -> None:
    folder.add(*(EntrySpec(f"more {one}", parent=50) for one in range(200)))

    async def scenario() -> None:
        look = Look(folder.vendor.client("default"), SEARCH, Cursor(), OPTIONS, NOW)
        try:
            async for _ in look.pages():
                folder.refuse_tokens()
        finally:
            await folder.close()

    with pytest.raises(VendorUnavailable, match="narrow the search, or raise EXPORT_LASERFICHE_CA"):
        asyncio.run(scenario())
    assert len(looked(folder, SEARCH)[0]) == 210
