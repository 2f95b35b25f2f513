"""The archive's own assets.

A damaged bag fails the check, not the run: the audit did its work, the damage stands in the
check and its metadata, and the next audit must go on with other bags.
"""

import os
from collections.abc import Iterator

import dagster as dg
import pyarrow.parquet as pq
import pytest

from export_pipeline.defs import fixity
from export_pipeline_tests.defs.lab import Lab
from export_pipeline_tests.defs.lab import lab as make_lab
from export_pipeline_tests.defs.test_materialize import flip_a_byte


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An empty archive for each test."""
    with make_lab(tmp_path_factory.mktemp("lab")) as made:
        yield made


def test_the_catalog_has_a_row_for_each_artifact_and_opens_as_parquet(lab: Lab) -> None:
    keys = lab.register(count=2)
    lab.materialize(keys)
    result = lab.materialize_unpartitioned("archive/catalog")
    assert result.success
    facts = lab.shown(result, "archive/catalog")[""]
    table = pq.read_table(facts["location"].removeprefix("file://"))
    assert table.num_rows == facts["rows"] == 2 * 6
    assert set(table.column("scan").to_pylist()) == set(keys)


def test_the_audit_of_whole_bags_passes_and_says_how_much_it_read(lab: Lab) -> None:
    lab.materialize(lab.register(count=2))
    result = lab.materialize_unpartitioned("archive/fixity")
    facts = lab.shown(result, "archive/fixity")[""]
    assert facts["bags"] == 2
    assert facts["bytes"] > 0
    assert passed(lab, result) == {"intact": True, "swept": True}


def passed(lab: Lab, result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {one.check_name: one.passed for one in lab.evaluations(result)}


def test_the_audit_removes_what_a_killed_writer_left_a_day_ago_and_nothing_younger(
    lab: Lab,
) -> None:
    incoming = lab.archive / ".incoming"
    incoming.mkdir(parents=True)
    old, young = incoming / "old", incoming / "young"
    for file in (old, young):
        file.write_bytes(b"half an upl")
    os.utime(old, (young.stat().st_mtime - fixity.LEFTOVER_SECONDS - 60,) * 2)
    result = lab.materialize_unpartitioned("archive/fixity")
    (swept,) = [one for one in lab.evaluations(result) if one.check_name == "swept"]
    assert swept.metadata["removed"].value == 1
    assert list(incoming.iterdir()) == [young]


def test_a_store_that_cannot_be_swept_fails_that_check_with_its_words_and_not_the_audit(
    lab: Lab,
) -> None:
    lab.materialize(lab.register(count=1))
    incoming = lab.archive / ".incoming"
    incoming.rmdir()
    incoming.symlink_to(incoming)
    result = lab.materialize_unpartitioned("archive/fixity")
    assert result.success
    assert passed(lab, result) == {"intact": True, "swept": False}
    (swept,) = [one for one in lab.evaluations(result) if one.check_name == "swept"]
    assert "check that disk" in (swept.description or "")


def test_the_audit_finds_a_changed_byte_and_fails_the_check_not_the_run(lab: Lab) -> None:
    (key,) = lab.register(count=1)
    lab.materialize([key])
    flip_a_byte(lab.archive / f"copyleaks/default/{key}/1/data/overview.json")
    result = lab.materialize_unpartitioned("archive/fixity")
    assert result.success
    assert passed(lab, result) == {"intact": False, "swept": True}
    (problem,) = lab.shown(result, "archive/fixity")[""]["problems"]
    assert f"{key}/1" in problem
    assert "overview.json" in problem


def test_the_audit_takes_the_bags_first_that_nobody_reread_for_longest(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = lab.register(count=3)
    lab.materialize(keys)
    monkeypatch.setattr(fixity, "AUDITS_PER_RUN", 2)
    for key in keys:
        flip_a_byte(lab.archive / f"copyleaks/default/{key}/1/data/overview.json")
    found = [
        {key for key in keys if key in str(lab.shown(result, "archive/fixity")[""]["problems"])}
        for result in [lab.materialize_unpartitioned("archive/fixity") for _ in range(2)]
    ]
    assert [len(some) for some in found] == [2, 2]
    assert found[0] | found[1] == set(keys)
