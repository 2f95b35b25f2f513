"""The schedules: what they start is what the jobs take."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from export_pipeline.definitions import defs


@pytest.mark.parametrize("name", ["copyleaks_nightly", "copyleaks_backlog"])
def test_a_tick_requests_one_run_whose_config_the_job_takes(name: str) -> None:
    schedule = defs.resolve_schedule_def(name)
    with dg.build_schedule_context(
        scheduled_execution_time=datetime(2026, 11, 22, 2, tzinfo=UTC)
    ) as context:
        (request,) = schedule.evaluate_tick(context).run_requests
    assert dg.validate_run_config(defs.resolve_job_def("copyleaks_queue"), request.run_config)
    assert request.tags["dagster/max_retries"] == "0"


def test_the_backlog_is_off_until_somebody_turns_it_on() -> None:
    assert defs.resolve_schedule_def("copyleaks_backlog").default_status.value == "STOPPED"
    assert defs.resolve_schedule_def("copyleaks_nightly").default_status.value == "RUNNING"
