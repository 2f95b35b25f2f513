"""What is wrong in Dagster itself, from its instance: runs, sensors and schedules that fail.

Read anew each time and without a cursor, as what lasts is asked for and not what happened: the
newest runs of each job, a query each, and the newest ticks of all sensors in one.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorTick,
    TickStatus,
)
from dagster_shared.error import SerializableErrorInfo

from export_pipeline import errors
from export_pipeline.defs.batch import FAILED, TROUBLE, WAITING
from export_pipeline.defs.runs import ASSET_JOB
from export_pipeline.errors import BadInput
from export_pipeline.ledger.alerts import Cause
from export_pipeline.ledger.troubles import FACTS, NAMES
from export_pipeline.scans import ScanKey
from export_pipeline.workflow.alerting.causes import in_brief

RUN_SECONDS = 36 * 3_600.0
"""For so long a failed run counts if none succeeds: by then a nightly one has failed again."""
RUNS_PER_JOB = 20
FAILED_TICKS = 2
"""So many in a row make a sensor a failing one: what passes is over at the next tick."""
LOOK = "export-pipeline check"
_FAILURES = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}


def failed_runs(instance: dg.DagsterInstance, jobs: Collection[str]) -> Iterator[Cause]:
    """Jobs whose newest runs failed for what the ledger does not tell itself."""
    by_work: dict[str, list[dg.DagsterRun]] = defaultdict(list)
    for job in sorted(jobs):
        for run in _ended(instance, job):
            by_work[_work(run)].append(run)
    for work, runs in by_work.items():
        failed = takewhile(lambda run: run.status == dg.DagsterRunStatus.FAILURE, runs)
        said = [(run, *_said(instance, run)) for run in failed]
        untold = [(run, why) for run, why, facts in said if not _is_told(run, facts)]
        if untold:
            yield _of_runs(work, untold)


def _ended(instance: dg.DagsterInstance, job: str) -> Sequence[dg.DagsterRun]:
    """The newest runs of the job that ended lately, newest first."""
    wanted = dg.RunsFilter(
        job_name=job,
        statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE],
        updated_after=datetime.now(UTC) - timedelta(seconds=RUN_SECONDS),
    )
    return instance.get_runs(wanted, limit=RUNS_PER_JOB)


def _work(run: dg.DagsterRun) -> str:
    """What a run does: its job, or what it materializes."""
    return f"materializing {_group(run)}" if run.job_name == ASSET_JOB else run.job_name


def _group(run: dg.DagsterRun) -> str:
    """The vendor of a run, or `archive`."""
    groups = sorted({key.path[0] for key in run.asset_selection or ()})
    return run.tags.get("vendor") or (groups[0] if groups else "")


def _said(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[str, Mapping[str, Any]]:
    """Why a run failed, and the metadata of its failure."""
    found = instance.get_records_for_run(run.run_id, of_type=_FAILURES, limit=1).records
    event = found[0].event_log_entry.dagster_event if found else None
    if event is None:
        return "", {}
    if not event.is_step_failure:
        return event.message or "", {}
    data = event.step_failure_data
    if data.user_failure_data is not None:
        facts = {name: value.value for name, value in data.user_failure_data.metadata.items()}
        return _without_scan(facts) or data.user_failure_data.description or "", facts
    return _in_words(data.error), {}


def _without_scan(facts: Mapping[str, Any]) -> str:
    """The first of a batch's failures without the name of its scan, "" if it has none."""
    reasons = [str(reason) for reason in facts.get(FAILED, {}).values()]
    return reasons[0].split(FACTS)[0] if reasons else ""


def _in_words(error: SerializableErrorInfo | None) -> str:
    """An error of ours as it says itself; of another its class, as its text may hold anything."""
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None or not error.cls_name:
        return ""
    is_ours = hasattr(errors, error.cls_name)
    return error.message.partition(": ")[2] if is_ours else f"{error.cls_name}: see its log"


def _is_told(run: dg.DagsterRun, facts: Mapping[str, Any]) -> bool:
    """Whether the failure only says of scans what the ledger tells by name, or that they wait.

    Such a run fails all the same: only by that does Dagster show the scans' partitions as failed.
    """
    try:
        for key in facts.get(FAILED, ()):
            ScanKey.from_partition_key(_group(run), key)
    except BadInput:
        return False
    return WAITING in facts and not facts.get(TROUBLE)


def _of_runs(work: str, failed: Sequence[tuple[dg.DagsterRun, str]]) -> Cause:
    count = len(failed)
    return Cause(
        cause=f"runs:{work}",
        title=f"{work}: the last {'run' if count == 1 else f'{count} runs'} failed",
        reason=in_brief(failed[0][1]),
        command=LOOK,
        count=count,
        names=[run.run_id for run, _ in failed[:NAMES]],
    )


def failing_ticks(instance: dg.DagsterInstance, names: Collection[str]) -> Iterator[Cause]:
    """Sensors and schedules of these names that are on and whose newest ticks all failed."""
    running = {
        state.selector_id: state
        for state in instance.all_instigator_state()
        if state.name in names and state.status != InstigatorStatus.STOPPED
    }
    if not running or instance.schedule_storage is None:
        return
    # One more, as the newest may be under way. (By status Dagster 1.13.27 cannot ask: it breaks.)
    newest = instance.schedule_storage.get_batch_ticks(list(running), limit=FAILED_TICKS + 1)
    for selector, ticks in newest.items():
        ended = [tick for tick in ticks if tick.status != TickStatus.STARTED][:FAILED_TICKS]
        if len(ended) == FAILED_TICKS and all(tick.is_failure for tick in ended):
            yield _of_ticks(running[selector], ended[0])


def _of_ticks(state: InstigatorState, newest: InstigatorTick) -> Cause:
    return Cause(
        cause=f"ticks:{state.name}",
        title=f"the {state.instigator_type.value.lower()} {state.name} fails at each tick",
        reason=in_brief(_in_words(newest.error)),
        command=LOOK,
        count=1,
        names=[state.name],
    )
