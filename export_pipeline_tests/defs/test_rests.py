"""What is said of an account on which nothing can be sent, and to whom."""

from collections.abc import Iterator

import pytest

from export_pipeline.defs import jobs
from export_pipeline.ledger import quotas
from export_pipeline_tests.defs.lab import Lab, reason
from export_pipeline_tests.defs.lab import lab as make_lab

WRONG_KEY = "00000000-1111-2222-3333-444444444444"


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """One whose runs wait for two seconds only."""
    with make_lab(tmp_path_factory.mktemp("lab"), EXPORT_RUN_WAIT="2") as made:
        monkeypatch.setattr(jobs, "TIME_BOX_SECONDS", 2.0)
        yield made


@pytest.fixture
def queued(lab: Lab) -> Iterator[list[str]]:
    """Scans with orders in the queue, and a key that the vendor refuses."""
    keys = lab.register(count=2)
    lab.materialize(keys, ["order"])
    # Its own, undone before the lab's: else the key outlives the laboratory.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPORT_COPYLEAKS_KEY", WRONG_KEY)
        yield keys


def test_a_wrong_key_is_the_reason_of_a_run_by_hand_and_not_nothing_to_do(
    lab: Lab, queued: list[str]
) -> None:
    """It said "2 still waiting at the vendor, nothing to do", for ever."""
    result = lab.materialize(queued)
    assert "2 still waiting: account default rests until " in reason(result)
    assert "correct the account's credentials" in reason(result)
    assert "nothing to do" not in reason(result)
    assert WRONG_KEY not in reason(result)
    assert lab.failed("bag") == set(queued)


def test_a_wrong_key_fails_the_send_job_and_is_the_queue_sensors_reason(
    lab: Lab, queued: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert queued
    assert lab.tick("queue").run_requests
    result = lab.job("send")
    assert not result.success
    assert "account default rests until " in reason(result)
    assert "correct the account's credentials" in reason(result)
    monkeypatch.setattr("export_pipeline.defs.sensors.has_unfinished", lambda *_: False)
    found = lab.tick("queue")
    assert found.run_requests == []
    assert "correct the account's credentials" in found.skip_message


def test_once_the_key_is_right_and_the_rest_over_all_is_sent_without_hands(
    lab: Lab, queued: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not lab.job("send").success
    lab.end_rests()
    monkeypatch.setattr(jobs, "TIME_BOX_SECONDS", 60.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPORT_COPYLEAKS_KEY", lab.world.environment["EXPORT_COPYLEAKS_KEY"])
        assert lab.tick("queue").run_requests
        assert lab.job("send").success
    assert {one["scan"] for one in lab.orders(queued)} == set(queued)


def test_a_rest_after_a_429_ends_by_itself_and_fails_no_job(lab: Lab) -> None:
    keys = lab.register(count=1)
    lab.materialize(keys, ["order"])
    said = "copyleaks: the account pauses, then goes on by itself (HTTP status 429)"
    lab.world.write(quotas.cool_down, "copyleaks", "default", 600.0, said)
    assert lab.job("send").success
    assert "goes on by itself" in lab.tick("queue").skip_message
    assert "goes on by itself" in reason(lab.materialize(keys))
