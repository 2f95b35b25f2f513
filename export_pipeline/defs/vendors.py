"""Everything that Dagster has of one vendor, from its slice."""

import dagster as dg

from export_pipeline.defs.assets import vendor_assets
from export_pipeline.defs.jobs import vendor_jobs
from export_pipeline.defs.retention import vendor_retention
from export_pipeline.defs.retire import vendor_retiring
from export_pipeline.defs.schedules import vendor_schedules
from export_pipeline.defs.sensors import vendor_sensors
from export_pipeline.defs.slices import Slice
from export_pipeline.settings import Settings


def vendor_definitions(slice_: Slice, settings: Settings) -> dg.Definitions:
    """Assets, checks, jobs, sensors and schedules of one vendor."""
    jobs, retiring = vendor_jobs(slice_), vendor_retiring(slice_)
    retention = vendor_retention(slice_)
    return dg.Definitions(
        assets=[vendor_assets(slice_, settings.batch_size)],
        jobs=[*jobs.all, retiring.job, retention.job],
        sensors=vendor_sensors(slice_, jobs, settings.sensor_seconds),
        schedules=[*vendor_schedules(slice_, jobs), retiring.schedule, retention.schedule],
    )
