"""Record many materializations in Dagster's event log at once.

`log_event` writes them one by one: on SQLite each is what `event_log` says, on Postgres two
transactions. The page of a run, of an asset and of a partition show both alike.
"""

import logging
import os
import time
from collections import defaultdict
from collections.abc import Sequence

import dagster as dg
from dagster._core.events import (
    AssetMaterializationPlannedData,
    DagsterEvent,
    DagsterEventType,
    StepMaterializationData,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage

from export_pipeline.defs.event_log import store_at_once
from export_pipeline.defs.runs import Context


def record(context: Context, materializations: Sequence[dg.AssetMaterialization]) -> None:
    """Record materializations of the run's step; durable on return."""
    if not materializations:
        return
    storage = context.instance.event_log_storage
    entries = [_entry(context, one) for one in materializations]
    if isinstance(storage, SqliteEventLogStorage):
        store_at_once(storage, entries)
        return
    by_asset = defaultdict(list)
    for entry in entries:
        by_asset[entry.get_dagster_event().asset_key].append(entry)
    for some in by_asset.values():
        # Of a batch Postgres notes only the last event as its asset's latest.
        storage.store_event_batch(some)


def record_failure(context: Context, key: dg.AssetKey, partition: str) -> None:
    """Have Dagster show a partition as failed once this run has failed.

    Dagster calls a partition failed whose materialization was planned by a run that failed. A run
    of an op job plans none by itself.
    """
    step = context.get_step_execution_context()
    planned = AssetMaterializationPlannedData(key, partition=partition)
    event = DagsterEvent.build_asset_materialization_planned_event(
        step.job_name, step.step.key, planned
    )
    context.instance.report_dagster_event(event, context.run.run_id, logging.DEBUG)


def _entry(context: Context, materialization: dg.AssetMaterialization) -> EventLogEntry:
    step = context.get_step_execution_context()
    message = f"Materialized {materialization.label}."
    event = DagsterEvent(
        event_type_value=DagsterEventType.ASSET_MATERIALIZATION.value,
        job_name=step.job_name,
        step_handle=step.step.handle,
        node_handle=step.step.node_handle,
        step_kind_value=step.step.kind.value,
        logging_tags=step.event_tags,
        event_specific_data=StepMaterializationData(materialization),
        message=message,
        pid=os.getpid(),
    )
    return EventLogEntry(  # type: ignore[no-untyped-call]  # a named tuple of Dagster's
        error_info=None,
        level=logging.DEBUG,
        user_message=message,
        run_id=step.run_id,
        timestamp=time.time(),
        step_key=step.step.key,
        job_name=step.job_name,
        dagster_event=event,
    )
