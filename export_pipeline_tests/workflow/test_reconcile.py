"""Reconciling: nothing depends on a webhook, or on a process that lives."""

import pytest

from export_pipeline.ledger.rows import OrderState, ScanState
from export_pipeline.sandbox import ScanSpec
from export_pipeline.workflow.lease import LEASE_SECONDS
from export_pipeline.workflow.reconcile import Reconciled, is_needed
from export_pipeline_tests.workflow.stepped import Stepped
from export_pipeline_tests.workflow.world import World


def needed(home: Stepped) -> bool:
    return home.look(is_needed, home.vendor)


def test_nothing_stuck_means_nothing_to_do(home: Stepped) -> None:
    home.ordered("essay")
    assert not needed(home)
    assert home.reconcile() == Reconciled()


def test_a_completion_that_never_comes_is_made_good_by_a_look_in_the_store(home: Stepped) -> None:
    scan = home.ordered("essay")
    home.upload(home.newest(scan))
    home.now += home.settings.order_patience
    assert needed(home)
    assert home.reconcile().late == 1
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert "no webhook: looking in the store" in home.events(scan)
    assert not needed(home)


def test_a_look_that_finds_nothing_waits_on_until_the_deadline(home: Stepped) -> None:
    scan = home.ordered("essay")
    home.upload(home.newest(scan), {"overview.json"})
    home.now += home.settings.order_patience
    home.reconcile()
    assert home.newest(scan).state == OrderState.WAITING
    assert home.newest(scan).attempt == 1
    assert home.states(scan)["overview.json"] == "verified"
    assert home.events(scan)[-1] == "no completion yet"


def test_past_the_deadline_what_is_not_there_is_ordered_again(home: Stepped) -> None:
    scan = home.ordered("essay")
    home.upload(home.newest(scan), {"overview.json"})
    home.now += home.settings.order_deadline
    home.reconcile()
    assert home.newest(scan).attempt == 2
    assert "overview.json" not in home.names(home.newest(scan))
    assert "no delivery before the deadline of attempt 1" in home.orders(scan)[0].reason


def test_past_the_deadline_of_the_last_attempt_it_is_missing(home: Stepped) -> None:
    scan = home.ordered("essay")
    home.upload(home.newest(scan), set(home.names(home.newest(scan))) - {"overview.json"})
    for _ in range(home.settings.attempts):
        home.now += home.settings.order_deadline
        home.reconcile()
        home.send()
    assert home.scan(scan).state == ScanState.PARTIAL
    assert "no delivery before the deadline of attempt 3" in home.scan(scan).reason
    assert len(home.vendor.placed) == home.settings.attempts


def test_a_completion_after_the_order_was_closed_changes_nothing(home: Stepped) -> None:
    scan = home.ordered("essay")
    [order] = home.orders(scan)
    home.now += home.settings.order_deadline
    home.reconcile()
    home.complete(order)
    home.collect()
    assert home.newest(scan).attempt == 2
    assert home.newest(scan).state == OrderState.QUEUED


def test_a_send_is_repeated_only_when_the_lease_of_its_sender_ended(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers.append(MemoryError())
    with pytest.raises(BaseExceptionGroup):
        home.send()
    home.reconcile()
    assert home.newest(scan).state == OrderState.SENDING
    home.now += LEASE_SECONDS
    assert home.reconcile().abandoned == 1
    assert home.newest(scan).state == OrderState.QUEUED


@pytest.mark.parametrize("trait", ["no_completion", "double_completion", "unhealthy_first"])
def test_a_vendor_that_misbehaves_is_archived_all_the_same(one_world: World, trait: str) -> None:
    [scan] = one_world.archive([ScanSpec(trait, results=1, traits=(trait,))])
    assert scan.state == ScanState.ARCHIVED, scan.reason
    assert one_world.stored(trait) == one_world.recorded(trait)


def test_an_upload_whose_answer_is_lost_is_not_ordered_again(one_world: World) -> None:
    [scan] = one_world.archive([ScanSpec("lost", results=1, traits=("lost_answer",))])
    assert scan.state == ScanState.ARCHIVED, scan.reason
    assert len(one_world.ordered("lost")) == 1


def test_broken_bytes_of_a_real_vendor_lead_to_a_new_generation(one_world: World) -> None:
    spec = ScanSpec("broken", results=1, traits=("corrupt_first:overview",))
    [scan] = one_world.archive([spec])
    assert scan.state == ScanState.ARCHIVED, scan.reason
    assert scan.generation == 2
    assert one_world.ordered("broken")[1:] == [["overview"]]
    assert one_world.stored("broken") == one_world.recorded("broken")


@pytest.mark.parametrize("fault", ["429", "500", "503", "garbage", "drop"])
def test_a_call_that_the_vendor_answers_badly_is_repeated(one_world: World, fault: str) -> None:
    one_world.control("faults", {"exports": [fault]})
    [scan] = one_world.archive([ScanSpec(f"fault-{fault}", results=1)])
    assert scan.state == ScanState.ARCHIVED, scan.reason
    assert len(one_world.ordered(f"fault-{fault}")) == 1


def test_a_scan_that_the_vendor_deleted_is_expired(one_world: World) -> None:
    pipeline = one_world.pipeline()
    one_world.complete(one_world.create([ScanSpec("deleted", results=1)]))
    one_world.forget("deleted")
    one_world.register(pipeline)
    one_world.settle(pipeline, ["deleted"])
    assert one_world.scan("deleted").state == ScanState.EXPIRED
    assert one_world.ordered("deleted") == []
