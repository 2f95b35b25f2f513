"""What Materialize does in each case that DESIGN.md part 6 names."""

from pathlib import Path

import dagster as dg
import pytest

from export_pipeline.sandbox import ScanSpec
from export_pipeline_tests.defs.lab import ARTIFACTS, EVERYTHING, Lab, asset_key, reason


def test_materializing_one_scan_archives_it_and_shows_every_asset(lab: Lab) -> None:
    (key,) = lab.register(count=1)
    result = lab.materialize([key])
    assert result.success
    assert lab.state(key) == "archived"
    assert {asset: list(lab.shown(result, asset)) for asset in EVERYTHING} == {
        asset: [key] for asset in EVERYTHING
    }


def test_materializing_a_range_archives_each_scan_in_it_and_no_other(lab: Lab) -> None:
    keys = lab.register(count=4)
    result = lab.materialize(keys[:3])
    assert result.success
    assert [lab.state(key) for key in keys] == [*["archived"] * 3, "registered"]
    assert all(set(lab.shown(result, asset)) == set(keys[:3]) for asset in EVERYTHING)


def test_a_scan_that_the_vendor_does_not_know_fails_with_that_before_what_else_it_lacks(
    lab: Lab,
) -> None:
    """Of one without result ids the run said to import them, though the vendor had no such scan."""
    (name,) = lab.registered(1)
    lab.tick("scan_completed")
    assert f"{name}: bag: expired at vendor" in reason(lab.materialize([name]))


def test_a_check_executed_alone_says_what_to_do_instead(lab: Lab) -> None:
    """Each check has the button Execute, which names no scan: it ended in a traceback."""
    check = dg.AssetCheckKey(asset_key("bag"), "sealed")
    job = lab.defs.resolve_implicit_global_asset_job_def().get_subset(asset_check_selection={check})
    result = job.execute_in_process(instance=lab.instance, raise_on_error=False)
    assert not result.success
    assert "choose partitions and materialize them" in reason(result)


def test_sealed_scans_are_verified_again_and_nothing_is_ordered(lab: Lab) -> None:
    keys = lab.register(count=2)
    lab.materialize(keys)
    before = lab.orders(keys)
    again = lab.materialize(keys)
    assert again.success
    assert lab.orders(keys) == before
    assert all(set(lab.shown(again, asset)) == set(keys) for asset in EVERYTHING)


@pytest.mark.parametrize("name", ["data/overview.json", "bag-info.txt", "provenance.json"])
def test_a_changed_byte_in_a_sealed_bag_fails_its_scan_alone_with_the_reason(
    lab: Lab, name: str
) -> None:
    broken, whole = lab.register(count=2)
    lab.materialize([broken, whole])
    flip_a_byte(lab.archive / f"copyleaks/default/{broken}/1/{name}")
    again = lab.materialize([broken, whole])
    assert not again.success
    assert "1 of 2 scans failed" in reason(again)
    assert f"{broken}: " in reason(again)
    assert f"{name} changed since it was sealed" in reason(again)
    assert lab.failed("bag") & {broken, whole} == {broken}
    assert set(lab.shown(again, "bag")) == {whole}


def test_a_bag_that_cannot_be_read_fails_its_scan_alone_with_the_stores_words(lab: Lab) -> None:
    """The store's error ended the whole batch, and named no scan."""
    broken, whole = lab.register(count=2)
    lab.materialize([broken, whole])
    folder = lab.archive / f"copyleaks/default/{broken}/1"
    folder.rename(folder.with_name("aside"))
    make_unreadable(folder)
    again = lab.materialize([broken, whole])
    assert "1 of 2 scans failed" in reason(again)
    assert f"{broken}: " in reason(again)
    assert "check that disk" in reason(again)
    assert lab.failed("bag") & {broken, whole} == {broken}
    assert set(lab.shown(again, "bag")) == {whole}


def make_unreadable(path: Path) -> None:
    """Have every read of the file or folder fail, for root too: a link to itself."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(path)


def test_where_the_store_fails_a_new_scan_the_others_are_shown_all_the_same(lab: Lab) -> None:
    broken, whole = lab.register(count=2)
    make_unreadable(lab.archive / f"copyleaks/default/{broken}/1/data/overview.json")
    result = lab.materialize([broken, whole])
    assert "still waiting: " in reason(result)
    assert "check that disk" in reason(result)
    assert lab.materialized("order") >= {broken, whole}
    lab.world.write(lambda tx: tx.connection.exec_driver_sql("UPDATE orders SET state = 'closed'"))


def flip_a_byte(path: Path) -> None:
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_run_tag_archives_a_sealed_scan_once_more_beside_what_is_sealed(lab: Lab) -> None:
    (key,) = lab.register(count=1)
    lab.materialize([key])
    folder = lab.archive / f"copyleaks/default/{key}"
    first = {path: path.read_bytes() for path in (folder / "1").rglob("*") if path.is_file()}
    again = lab.materialize([key], **{"export/new_generation": "true"})
    assert again.success
    assert lab.shown(again, "bag")[key]["generation"] == 2
    assert (folder / "2/tagmanifest-sha256.txt").exists()
    assert {path: path.read_bytes() for path in first} == first


def test_artifacts_without_an_order_fail_and_say_what_to_do(lab: Lab) -> None:
    (key,) = lab.register(count=1)
    result = lab.materialize([key], ARTIFACTS)
    assert not result.success
    assert "materialize `order` first" in reason(result)
    assert lab.orders([key]) == []


def test_artifacts_alone_join_an_order_that_is_under_way(lab: Lab) -> None:
    (key,) = lab.register(count=1)
    assert lab.materialize([key], ["order"]).success
    result = lab.materialize([key], ["overview", "bag"])
    assert result.success
    assert lab.state(key) == "archived"


def test_a_subset_orders_that_alone_and_the_full_selection_completes_it(lab: Lab) -> None:
    (key,) = lab.register(count=1)
    folder = lab.archive / f"copyleaks/default/{key}/1"
    part = lab.materialize([key], ["order", "overview", "pdf_report"])
    assert part.success
    (order,) = lab.orders([key])
    assert sorted(order["artifacts"]) == ["overview", "pdfReport"]
    assert not (folder / "tagmanifest-sha256.txt").exists()
    rest = lab.materialize([key])
    assert rest.success
    assert lab.shown(rest, "bag")[key]["generation"] == 1
    ordered = [name for order in lab.orders([key]) for name in order["artifacts"]]
    assert len(ordered) == len(set(ordered)), "an artifact was ordered twice"


def test_an_artifact_that_nobody_ordered_fails_beside_those_that_are_there(lab: Lab) -> None:
    (key,) = lab.register(count=1)
    lab.materialize([key], ["order", "overview"])
    result = lab.materialize([key], ["overview", "pdf_report"])
    assert "pdf_report is not ordered for this scan" in reason(result)
    assert set(lab.shown(result, "overview")) == {key}


def test_order_alone_over_300_scans_ends_green_and_sends_nothing(lab: Lab) -> None:
    names = lab.registered(300)
    lab.tick("scan_completed")
    result = lab.materialize(names, ["order"])
    assert result.success
    assert set(lab.shown(result, "order")) == set(names)
    assert lab.orders(names) == []
    # Else the file's other tests would send them.
    with lab.world.ledger.write() as tx:
        tx.connection.exec_driver_sql("UPDATE orders SET not_before = 9e9 WHERE state = 'queued'")


def test_a_key_that_names_no_registered_scan_fails_and_says_what_to_do(lab: Lab) -> None:
    lab.instance.add_dynamic_partitions("copyleaks_scans", ["nobody-knows-it"])
    result = lab.materialize(["nobody-knows-it"])
    assert "is not registered: bring it in with `export-pipeline scans import`" in reason(result)


def test_what_a_scan_does_not_have_is_shown_as_absent_with_the_reason(lab: Lab) -> None:
    (name,) = lab.names(1)
    (key,) = lab.register(ScanSpec(name, results=1, artifacts=("crawledVersion", "overview")))
    result = lab.materialize([key])
    assert result.success
    absent = lab.shown(result, "pdf_report")[key]
    assert (absent["status"], absent["size"]) == ("absent", 0)
    assert absent["reason"]


def test_every_check_is_evaluated_once_a_batch(lab: Lab) -> None:
    keys = lab.register(count=3)
    found = lab.evaluations(lab.materialize(keys))
    assert sorted(one.asset_key.path[-1] for one in found) == sorted(EVERYTHING)
    assert all(one.passed and one.partition is None for one in found)
    assert {one.metadata["scans"].value for one in found} == {3}
