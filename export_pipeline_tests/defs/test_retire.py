"""Retiring in a real Dagster: the partition goes, all that is known of the scan stays."""

from collections.abc import Callable, Iterator

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from export_pipeline.defs import retire
from export_pipeline.defs.copyleaks import COPYLEAKS
from export_pipeline.defs.runs import ASSET_JOB
from export_pipeline.ledger import admission, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import ScanState
from export_pipeline.sandbox import ScanSpec
from export_pipeline.scans import ScanKey
from export_pipeline_tests.defs.lab import EVERYTHING, Lab
from export_pipeline_tests.defs.lab import lab as make_lab

HOSTILE = 'a/../b%2f;:"<x>'
DAY = 86_400


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with make_lab(tmp_path_factory.mktemp("lab")) as made:
        yield made


def pass_days(lab: Lab, days: int) -> None:
    with lab.world.ledger.write() as tx:
        for change in ("scans SET admitted_at = admitted_at", "events SET at = at"):
            tx.connection.exec_driver_sql(f"UPDATE {change} - {days * DAY}")


def settled(lab: Lab, count: int, state: ScanState = ScanState.ARCHIVED) -> list[str]:
    """Scans that have a partition, and of which nothing more is known than how they ended."""
    names = lab.registered(count)
    lab.tick("scan_completed")

    def settle(tx: Tx) -> None:
        for name in names:
            found = registry.get(tx, ScanKey("copyleaks", "default", name))
            registry.settle(tx, found.id, state)

    lab.world.write(settle)
    return names


def evaluate(lab: Lab) -> dg.RunRequest | str:
    """What the schedule asks for, or why it does not."""
    schedule = lab.defs.resolve_schedule_def("copyleaks_retire")
    with dg.build_schedule_context(
        instance=lab.instance,
        resources={name: lab.defs.resources[name] for name in ("ledger", "settings")},
    ) as context:
        found = schedule.evaluate_tick(context)
    return found.run_requests[0] if found.run_requests else str(found.skip_message)


def test_a_retired_scan_keeps_its_history_and_comes_back_to_be_verified(lab: Lab) -> None:
    keys = lab.register(ScanSpec(HOSTILE, results=1))
    assert lab.materialize(keys).success
    shown = {asset: lab.materialized(asset) for asset in EVERYTHING}
    history = lab.world.history(HOSTILE)
    pass_days(lab, 30)
    assert lab.job("retire").success
    assert lab.partitions() == []
    assert {asset: lab.materialized(asset) for asset in EVERYTHING} == shown
    bag = dg.AssetRecordsFilter(COPYLEAKS.key("bag"), asset_partitions=keys)
    assert len(lab.instance.fetch_materializations(bag, limit=9).records) == 1
    assert lab.state(HOSTILE) == "archived"
    assert [one.event for one in lab.world.history(HOSTILE)] == [one.event for one in history]
    lab.tick("scan_completed")
    assert lab.partitions() == []

    lab.world.write(admission.activate, lab.world.scan(HOSTILE).id)
    lab.tick("scan_completed")
    assert lab.partitions() == keys
    assert lab.job("retire").success
    assert lab.partitions() == keys
    again = lab.materialize(keys)
    assert again.success
    assert lab.shown(again, "bag")[keys[0]]["status"] == "archived"
    assert lab.world.history(HOSTILE)[-1].event == "verified again"
    assert len(lab.orders([HOSTILE])) == 1


def test_a_failed_scan_goes_at_its_age_and_comes_back_when_it_is_retried(lab: Lab) -> None:
    names = settled(lab, 2, ScanState.FAILED)
    pass_days(lab, 29)
    assert lab.job("retire").success
    assert lab.partitions() == names
    pass_days(lab, 1)
    assert lab.job("retire").success
    assert lab.partitions() == []
    lab.world.write(registry.set_generation, lab.world.scan(names[0]).id, 1)
    lab.tick("scan_completed")
    assert lab.partitions() == names[:1]


def pending_run(lab: Lab) -> Callable[[], None]:
    run = lab.instance.create_run_for_job(lab.defs.resolve_implicit_global_asset_job_def())
    assert run.job_name == ASSET_JOB
    return lambda: lab.instance.report_run_failed(run)


def backfill(lab: Lab) -> Callable[[], None]:
    asked = PartitionBackfill(
        backfill_id="backfill",
        status=BulkActionStatus.REQUESTED,
        from_failure=False,
        tags={},
        backfill_timestamp=0.0,
        asset_selection=[COPYLEAKS.key("bag")],
    )
    lab.instance.add_backfill(asked)
    return lambda: lab.instance.update_backfill(
        asked.with_status(BulkActionStatus.COMPLETED_SUCCESS)
    )


@pytest.mark.parametrize("begin", [pending_run, backfill])
def test_no_partition_is_taken_away_while_a_run_or_a_backfill_holds_them(
    lab: Lab, begin: Callable[[Lab], Callable[[], None]]
) -> None:
    """Dagster then finishes such a run on nothing: the rest of its range vanishes too."""
    names = settled(lab, 3)
    pass_days(lab, 30)
    end = begin(lab)
    assert evaluate(lab) == "a run or a backfill needs the partitions as they are"
    assert lab.job("retire").success
    assert lab.partitions() == names
    end()
    assert isinstance(evaluate(lab), dg.RunRequest)
    assert lab.job("retire").success
    assert lab.partitions() == []
    assert evaluate(lab) == "nothing to retire"


def test_a_run_that_begins_meanwhile_ends_the_retiring(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = settled(lab, 3)
    pass_days(lab, 30)
    monkeypatch.setattr(retire, "SCANS_PER_TRANSACTION", 2)
    retired = retire.retire(
        lab.instance,
        COPYLEAKS,
        lab.world.ledger,
        lab.world.settings,
        sleep=lambda _: pending_run(lab),
    )
    assert retired == 2
    assert lab.partitions() == names[2:]


def test_near_dagsters_limit_what_was_settled_first_goes_before_its_age(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = settled(lab, 4)
    assert evaluate(lab) == "nothing to retire"
    monkeypatch.setattr(retire, "NEAR_LIMIT", 3)
    assert lab.job("retire").success
    assert lab.partitions() == names[1:]


def test_a_run_takes_no_more_than_its_share_and_the_next_goes_on(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = settled(lab, 5)
    pass_days(lab, 30)
    monkeypatch.setattr(retire, "SCANS_PER_RUN", 3)
    assert lab.job("retire").success
    assert lab.partitions() == names[3:]
    assert lab.job("retire").success
    assert lab.partitions() == []


def test_a_crash_before_the_ledger_knew_is_made_up_for(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(lab, 3)
    pass_days(lab, 30)
    real, deleted = dg.DagsterInstance.delete_dynamic_partition, []

    def crash_at_second(instance: dg.DagsterInstance, name: str, key: str) -> None:
        if deleted:
            raise RuntimeError("crash")
        deleted.append(key)
        real(instance, name, key)

    with monkeypatch.context() as patch:
        patch.setattr(dg.DagsterInstance, "delete_dynamic_partition", crash_at_second)
        assert not lab.job("retire").success
    assert len(lab.partitions()) == 2
    assert lab.world.look(admission.count_active, "copyleaks") == 3
    assert lab.job("retire").success
    assert lab.partitions() == []
    assert lab.world.look(admission.count_active, "copyleaks") == 0


def test_a_setting_that_cannot_be_used_is_why_nothing_is_retired(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_RETIRE_DAYS", "0")
    assert "EXPORT_RETIRE_DAYS: Input should be greater than or equal to 1" in str(evaluate(lab))
