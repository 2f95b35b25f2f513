"""Forgetting in Dagster: a scan's partition with every event of it.

Dagster 1.13 wipes whole assets only ("Partitioned asset wipe is not supported yet"), so the rows
are deleted in its own tables: those of the index, and of SQLite's database of each run.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing

import dagster as dg
import sqlalchemy as sa
from dagster._core.events import DagsterEventType
from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    AssetKeyTable,
    DynamicPartitionsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME

from export_pipeline.defs.runs import has_unfinished, uses_partitions
from export_pipeline.defs.slices import UPKEEP, partitions_name
from export_pipeline.ledger.database import in_chunks
from export_pipeline.scans import ScanKey

RUNS_NAMED = 5
PARTITION_TAGS = (
    "dagster/partition",
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)
BUSY_SECONDS = 30.0
_EVENTS, _TAGS = SqlEventLogStorageTable.c, AssetEventTagsTable.c
_CHECKS = AssetCheckExecutionsTable.c
_JUDGING = [
    DagsterEventType.ASSET_CHECK_EVALUATION.value,
    DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED.value,
]
_STAYS = (
    "in Dagster: log lines, compute logs, failures and verdicts of runs that name it, run"
    " configurations and backfills with lists of scans, and bytes of what was changed before in its"
    " database: until runs are deleted (`dagster run delete`) and the database is vacuumed"
)


class DagsterView:
    """What Dagster shows of scans.

    Args:
        instance: the one whose daemon and webserver people use.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def busy(self) -> str:
        """Why no partition may be taken out now, in words; "" if it may."""
        if uses_partitions(self._instance):
            return "a run or a backfill of assets is under way in Dagster"
        if has_unfinished(self._instance, UPKEEP):
            return f"the job {UPKEEP}, which reads the archive, is under way in Dagster"
        return ""

    def forget(self, keys: Sequence[ScanKey]) -> Sequence[str]:
        """Delete partitions and their events; return what stays there, in words."""
        storage = self._instance.event_log_storage
        if not isinstance(storage, SqlEventLogStorage):
            return [f"everything in Dagster: {type(storage).__name__} deletes no single events"]
        shards = {INDEX_SHARD_NAME}
        for key in keys:
            shards |= _forget(storage, key)
        if isinstance(storage, SqliteEventLogStorage):
            for shard in sorted(shards):
                _empty_log(storage.path_for_shard(shard))
        return [*(words for key in keys for words in self._tagged_runs(key)), _STAYS]

    def _tagged_runs(self, key: ScanKey) -> list[str]:
        found = {
            run.run_id: None
            for tag in PARTITION_TAGS
            for run in self._instance.get_runs(
                dg.RunsFilter(tags={tag: key.partition_key}), limit=RUNS_NAMED
            )
        }
        return [f"in Dagster: the tags of the runs {', '.join(found)}"] if found else []


def _forget(storage: SqlEventLogStorage, key: ScanKey) -> set[str]:
    """Delete what there is of a scan; return the runs that had events of it."""
    with storage.index_connection() as connection:
        _overwrite_deleted(connection)
        found = connection.execute(
            sa.select(_EVENTS.id, _EVENTS.run_id, _EVENTS.asset_key).where(_is_of(key))
        ).all()
        for ids in in_chunks([row.id for row in found]):
            connection.execute(AssetEventTagsTable.delete().where(_TAGS.event_id.in_(ids)))
            connection.execute(SqlEventLogStorageTable.delete().where(_EVENTS.id.in_(ids)))
        connection.execute(AssetCheckExecutionsTable.delete().where(_is_check_of(key)))
        for asset in sorted({row.asset_key for row in found if row.asset_key}):
            _show_another(connection, asset)
        connection.execute(
            DynamicPartitionsTable.delete().where(
                DynamicPartitionsTable.c.partitions_def_name == partitions_name(key.vendor),
                DynamicPartitionsTable.c.partition == key.partition_key,
            )
        )
    run_ids = {row.run_id for row in found if row.run_id}
    if isinstance(storage, SqliteEventLogStorage):
        for run_id in run_ids:
            with storage.run_connection(run_id) as connection:
                _overwrite_deleted(connection)
                connection.execute(SqlEventLogStorageTable.delete().where(_is_of(key)))
    return run_ids


def _is_of(key: ScanKey) -> sa.ColumnElement[bool]:
    shown = sa.and_(_EVENTS.partition == key.partition_key, _begins(_EVENTS.asset_key, key))
    # Of an evaluation Dagster 1.13 keeps the asset in the event alone.
    asset = f'"asset_key": {{"__class__": "AssetKey", "path": ["{key.vendor}"'
    judged = sa.and_(
        _EVENTS.dagster_event_type.in_(_JUDGING),
        _EVENTS.event.contains(asset, autoescape=True),
        _names(_EVENTS.event, key),
    )
    return sa.or_(shown, judged)


def _is_check_of(key: ScanKey) -> sa.ColumnElement[bool]:
    is_its = sa.or_(_CHECKS.partition == key.partition_key, _names(_CHECKS.evaluation_event, key))
    return sa.and_(_begins(_CHECKS.asset_key, key), is_its)


def _begins(asset_key: sa.ColumnElement[str], key: ScanKey) -> sa.ColumnElement[bool]:
    """Whether an asset is one of the scan's vendor."""
    return asset_key.startswith(f'["{key.vendor}"', autoescape=True)


def _names(event: sa.ColumnElement[str], key: ScanKey) -> sa.ColumnElement[bool]:
    """Whether an event is of the scan's partition."""
    return event.contains(f'"partition": "{key.partition_key}"', autoescape=True)


def _show_another(connection: sa.Connection, asset: str) -> None:
    """Let an asset show the newest materialization that is left, and count partitions anew."""
    is_made = _EVENTS.dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION.value
    newest = sa.select(_EVENTS.event).where(_EVENTS.asset_key == asset, is_made)
    left = connection.execute(newest.order_by(_EVENTS.id.desc()).limit(1)).scalar_one_or_none()
    connection.execute(
        AssetKeyTable.update()
        .where(AssetKeyTable.c.asset_key == asset)
        .values(last_materialization=left, cached_status_data=None)
    )


def _overwrite_deleted(connection: sa.Connection) -> None:
    """Have SQLite write zeros over what is deleted; Postgres does not until it is vacuumed."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def _empty_log(path: str) -> None:
    """Write a database's log into its file; while somebody reads, the last of them will."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
