"""What Dagster loads: with no network, no secrets, and nothing set."""

import os
import warnings

import dagster as dg

from export_pipeline.defs.alerts import alerts
from export_pipeline.defs.archive import archive
from export_pipeline.defs.cloudconvert import cloudconvert
from export_pipeline.defs.copyleaks import copyleaks
from export_pipeline.defs.hookbridge import hookbridge
from export_pipeline.defs.laserfiche import laserfiche
from export_pipeline.defs.resources import resources
from export_pipeline.settings import Settings


def _with_code_references(found: dg.Definitions) -> dg.Definitions:
    """Note of each asset where its code is, for the UI."""
    with warnings.catch_warnings():
        # Dagster's mark of it as beta, at each load: what a change could break is one UI link.
        warnings.filterwarnings("ignore", "(Function|Class) .* in beta", dg.BetaWarning)
        assets = dg.with_source_code_references(list(found.assets or ()))
    return dg.Definitions(
        assets=assets, jobs=found.jobs, sensors=found.sensors, schedules=found.schedules
    )


_VENDORS = (copyleaks, laserfiche, hookbridge, cloudconvert)
_settings = Settings.from_env(os.environ)

defs = dg.Definitions.merge(
    _with_code_references(dg.Definitions.merge(*(make(_settings) for make in _VENDORS), archive())),
    alerts(_settings),
    dg.Definitions(resources=resources(), executor=dg.in_process_executor),
)
