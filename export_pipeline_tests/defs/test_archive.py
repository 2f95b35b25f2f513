"""The archive's own assets.

A damaged bag fails the check, not the run: the audit did its work, the damage stands in the
check and its metadata, and the next audit must go on with other bags.
"""

import os
import shutil
from collections.abc import Iterator

import dagster as dg
import pytest

from export_pipeline.archive.fixity import FixityReport
from export_pipeline.archive.pace import pace
from export_pipeline.defs import fixity
from export_pipeline.ledger import audits, generations
from export_pipeline.ledger.audits import ArchiveSize
from export_pipeline.settings import Settings
from export_pipeline.workflow.auditing.fixity import DAY_SECONDS, FixityRun
from export_pipeline_tests.defs.lab import Lab
from export_pipeline_tests.defs.lab import lab as make_lab
from export_pipeline_tests.defs.test_materialize import flip_a_byte

WELL = {"intact": True, "on_time": True, "recorded": True, "swept": True}


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An empty archive for each test, of which one run of the audit rereads all."""
    with make_lab(tmp_path_factory.mktemp("lab"), EXPORT_FIXITY_DAYS="1") as made:
        yield made


def test_the_audit_of_whole_bags_passes_and_says_how_much_it_read(lab: Lab) -> None:
    lab.materialize(lab.register(count=2))
    result = lab.materialize_unpartitioned("archive/fixity")
    facts = lab.shown(result, "archive/fixity")[""]
    assert facts["bags"] == 2
    assert facts["bytes"] > 0
    assert passed(lab, result) == WELL


def passed(lab: Lab, result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {one.check_name: one.passed for one in lab.evaluations(result)}


def test_the_audit_removes_what_a_killed_writer_left_a_day_ago_and_nothing_younger(
    lab: Lab,
) -> None:
    unfinished = lab.archive / ".unfinished"
    unfinished.mkdir(parents=True)
    old, young = unfinished / "old", unfinished / "young"
    for file in (old, young):
        file.write_bytes(b"half an upl")
    os.utime(old, (young.stat().st_mtime - fixity.LEFTOVER_SECONDS - 60,) * 2)
    result = lab.materialize_unpartitioned("archive/fixity")
    (swept,) = [one for one in lab.evaluations(result) if one.check_name == "swept"]
    assert swept.metadata["removed"].value == 1
    assert list(unfinished.iterdir()) == [young]


def test_a_store_that_cannot_be_swept_fails_that_check_with_its_words_and_not_the_audit(
    lab: Lab,
) -> None:
    lab.materialize(lab.register(count=1))
    unfinished = lab.archive / ".unfinished"
    unfinished.rmdir()
    unfinished.symlink_to(unfinished)
    result = lab.materialize_unpartitioned("archive/fixity")
    assert result.success
    assert passed(lab, result) == WELL | {"recorded": False, "swept": False}
    (swept,) = [one for one in lab.evaluations(result) if one.check_name == "swept"]
    assert "check that disk" in (swept.description or "")


def test_the_audit_finds_a_changed_byte_and_fails_the_check_not_the_run(lab: Lab) -> None:
    (key,) = lab.register(count=1)
    lab.materialize([key])
    path = f"copyleaks/default/{key}/1/data/overview.json"
    flip_a_byte(lab.archive / path)
    result = lab.materialize_unpartitioned("archive/fixity")
    assert result.success
    assert passed(lab, result) == WELL | {"intact": False}
    (intact,) = [one for one in lab.evaluations(result) if one.check_name == "intact"]
    assert intact.metadata["changed"].value == [path]
    assert intact.metadata["changed_count"].value == 1
    assert intact.description == f"{path} changed since it was sealed"
    assert lab.shown(result, "archive/fixity")[""]["problems"] == [intact.description]


def test_a_damaged_bag_is_shown_as_failed_in_its_partition_until_it_is_whole_again(
    lab: Lab,
) -> None:
    good, bad = lab.register(count=2)
    lab.materialize([good, bad])
    path = lab.archive / f"copyleaks/default/{bad}/1/data/overview.json"
    whole = path.read_bytes()
    flip_a_byte(path)
    lab.materialize_unpartitioned("archive/fixity")
    told = lab.job("collect")
    assert not told.success
    (check,) = [one for one in lab.evaluations(told) if one.partition]
    assert (check.asset_key.path, check.partition) == (["copyleaks", "bag"], bad)
    assert "overview.json changed since it was sealed" in (check.description or "")
    assert lab.failed("bag") == {bad}
    path.write_bytes(whole)
    lab.materialize_unpartitioned("archive/fixity")
    assert lab.job("collect").success
    assert lab.failed("bag") == set()
    assert lab.materialized("bag") == {good, bad}


def test_damage_is_told_by_every_run_until_the_bag_is_whole_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = lab.register(count=2)
    lab.materialize([good, bad])
    path = f"copyleaks/default/{bad}/1/data/overview.json"
    flip_a_byte(lab.archive / path)
    lab.materialize_unpartitioned("archive/fixity")
    monkeypatch.setenv("EXPORT_FIXITY_DAYS", "90")
    with lab.world.ledger.write() as tx:
        tx.connection.exec_driver_sql("UPDATE generations SET audited_at = 1 WHERE damage = ''")
    result = lab.materialize_unpartitioned("archive/fixity")
    assert lab.shown(result, "archive/fixity")[""]["bags"] == 1
    assert not passed(lab, result)["intact"]
    (problem,) = lab.shown(result, "archive/fixity")[""]["problems"]
    assert problem.startswith(f"{path} changed since it was sealed (found before;")


def test_the_audit_takes_the_bags_first_that_were_verified_longest_ago(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = lab.register(count=3)
    lab.materialize(keys)
    monkeypatch.setenv("EXPORT_FIXITY_DAYS", "90")
    found = [
        lab.shown(lab.materialize_unpartitioned("archive/fixity"), "archive/fixity")[""]
        for _ in range(3)
    ]
    assert [one["bags"] for one in found] == [1, 1, 1]
    with lab.world.ledger.read() as tx:
        bags = audits.page(tx, limit=9)
        assert {generations.get(tx, bag.scan_id, 1).audited_at is None for bag in bags} == {False}


def test_a_bag_that_is_gone_is_found_although_it_is_not_due(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = lab.register(count=3)
    lab.materialize(keys)
    monkeypatch.setenv("EXPORT_FIXITY_DAYS", "90")
    monkeypatch.setenv("EXPORT_FIXITY_BYTES", "1")
    for key in keys:
        shutil.rmtree(lab.archive / f"copyleaks/default/{key}")
    result = lab.materialize_unpartitioned("archive/fixity")
    problems = lab.shown(result, "archive/fixity")[""]["problems"]
    assert sorted(problems) == [
        f"copyleaks/default/{key}/1/: nothing of it is in the store" for key in sorted(keys)
    ]


def test_a_pace_that_is_too_slow_is_told_with_what_to_set(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.materialize(lab.register(count=2))
    monkeypatch.setenv("EXPORT_FIXITY_BYTES", "1000")
    result = lab.materialize_unpartitioned("archive/fixity")
    facts = lab.shown(result, "archive/fixity")[""]
    (check,) = [one for one in lab.evaluations(result) if one.check_name == "on_time"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert f"takes {facts['days_to_go_round']} days: set it to at least" in (
        check.description or ""
    )
    assert facts["budget_bytes"] == 1_000
    assert passed(lab, result)["intact"]


def test_runs_that_were_missed_are_told() -> None:
    long_ago = ArchiveSize(at=0.0, bags=1, bytes=1, oldest=-200 * DAY_SECONDS)
    run = FixityRun(FixityReport(), pace(1, 1, days=90, most=None), long_ago)
    check = fixity._on_time(run, Settings.from_env({}))
    assert not check.passed
    assert "verified 200 days ago" in (check.description or "")
    assert "materialize archive/fixity again" in (check.description or "")
