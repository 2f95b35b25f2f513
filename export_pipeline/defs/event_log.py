"""Dagster's own SQLite storage, writing a batch of events in one transaction per database.

A run over N partitions of an asset plans N materializations before it starts. Dagster hands them
over as a batch, but its SQLite storage stores each by itself: it opens, commits, syncs and closes
two databases (8 ms of CPU and 10 to 30 ms of waiting, where one of 64 costs less than one), so
that the daemon needs minutes to start a backfill of 1,000 scans. The files and their content are
the same; `dagster.yaml` can go back to `storage: sqlite:` at any time.
"""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Self

import sqlalchemy as sa
from dagster import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData

BATCH_SIZE_VARIABLE = "DAGSTER_EVENT_BATCH_SIZE"
"""Dagster batches only where this is set, and reads it from nowhere but the environment."""
EVENTS_PER_BATCH = 500
"""Half a second of CPU; no other process writes to the index meanwhile."""
_AT_ONCE = {
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_OBSERVATION,
}


class BatchingEventLog(SqliteEventLogStorage):
    """Dagster's event log on SQLite that stores a batch at once."""

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events, those of assets in one transaction; durable on return."""
        store_at_once(self, [one for one in events if one.dagster_event_type in _AT_ONCE])
        for event in events:
            if event.dagster_event_type not in _AT_ONCE:
                self.store_event(event)


class BatchingStorage(DagsterSqliteStorage):
    """What `dagster.yaml` names as its storage."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = BatchingEventLog(self._event_log_storage._base_dir)  # noqa: SLF001
        os.environ.setdefault(BATCH_SIZE_VARIABLE, str(EVENTS_PER_BATCH))

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """Make it as `dagster.yaml` says."""
        return cls.from_local(config_value["base_dir"], inst_data)


def store_at_once(storage: SqliteEventLogStorage, entries: Sequence[EventLogEntry]) -> None:
    """What `store_event` does for each: into its run's database and into the index.

    Args:
        entries: materializations, planned ones, observations; of no other type.
    """
    by_run = defaultdict(list)
    for entry in entries:
        by_run[entry.run_id].append(entry)
    for run_id, some in by_run.items():
        inserts = [storage.prepare_insert_event(entry) for entry in some]
        with storage.run_connection(run_id) as connection:
            for insert in inserts:
                connection.execute(insert)
        _index(storage, some, inserts)


def _index(
    storage: SqliteEventLogStorage, entries: Sequence[EventLogEntry], inserts: Sequence[sa.Insert]
) -> None:
    with storage.index_transaction() as connection:
        ids = [_insert(connection, insert) for insert in inserts]
        storage._store_asset_event_tags(connection, entries, ids)  # noqa: SLF001
        latest = {
            (entry.get_dagster_event().asset_key, entry.dagster_event_type): (entry, number)
            for entry, number in zip(entries, ids, strict=True)
        }
        for entry, number in latest.values():
            storage._store_asset_event(connection, entry, number)  # noqa: SLF001


def _insert(connection: sa.Connection, insert: sa.Insert) -> int:
    key = connection.execute(insert).inserted_primary_key
    if key is None:
        raise RuntimeError("Dagster's event log gave an event no number")
    return int(key[0])
