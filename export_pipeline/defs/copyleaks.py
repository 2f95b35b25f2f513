"""Copyleaks in Dagster (seed 000): plagiarism scan reports, partitioned by scan id."""

import dagster as dg

from export_pipeline.defs.slices import Slice
from export_pipeline.defs.vendors import vendor_definitions
from export_pipeline.settings import Settings
from export_pipeline.vendors.copyleaks.artifacts import KINDS

COPYLEAKS = Slice("copyleaks", KINDS)


def copyleaks(settings: Settings) -> dg.Definitions:
    """Everything that Dagster has of Copyleaks."""
    return vendor_definitions(COPYLEAKS, settings)
