"""The archive as a whole: its assets and when they run."""

import dagster as dg

from export_pipeline.defs.catalog import catalog
from export_pipeline.defs.fixity import fixity
from export_pipeline.defs.report import report
from export_pipeline.defs.slices import ARCHIVE, UPKEEP


def archive() -> dg.Definitions:
    """The assets of the archive, materialized every night."""
    job = dg.define_asset_job(
        UPKEEP,
        selection=dg.AssetSelection.groups(ARCHIVE),
        description="Write the catalog, reread the bags verified longest ago, report.",
    )
    nightly = dg.ScheduleDefinition(
        name="archive_upkeep_nightly",
        job=job,
        cron_schedule="0 5 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Writes the catalog, rereads the bags verified longest ago, reports.",
    )
    return dg.Definitions(assets=[catalog, fixity, report], jobs=[job], schedules=[nightly])
