"""The archive as a whole: its assets and when they run."""

import dagster as dg

from export_pipeline.defs.catalog import catalog
from export_pipeline.defs.fixity import fixity
from export_pipeline.defs.slices import ARCHIVE


def archive() -> dg.Definitions:
    """The assets of the archive, rebuilt and reread every night."""
    job = dg.define_asset_job("archive_upkeep", selection=dg.AssetSelection.groups(ARCHIVE))
    nightly = dg.ScheduleDefinition(
        name="archive_upkeep_nightly",
        job=job,
        cron_schedule="0 5 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Rebuilds the catalog and rereads the bags whose last audit is oldest.",
    )
    return dg.Definitions(assets=[catalog, fixity], jobs=[job], schedules=[nightly])
