"""What Dagster loads: with no network, no secrets, and nothing set."""

import os

import dagster as dg

from export_pipeline.defs.archive import archive
from export_pipeline.defs.copyleaks import copyleaks
from export_pipeline.defs.resources import resources
from export_pipeline.settings import Settings

_settings = Settings.from_env(os.environ)

defs = dg.Definitions.merge(
    copyleaks(_settings),
    archive(),
    dg.Definitions(resources=resources(), executor=dg.in_process_executor),
)
