"""The definitions, except that what a killed process held is free again within seconds."""

from unittest import mock

from export_pipeline import definitions
from export_pipeline.defs import runs, showing
from export_pipeline.workflow import collect, lease, turn

LEASE_SECONDS = 15.0
HELD = (
    (runs, "LEASE_SECONDS"),
    (runs, "STARTUP_SECONDS"),
    (showing, "LEASE_SECONDS"),
    (collect, "LEASE_SECONDS"),
    (lease, "LEASE_SECONDS"),
    (turn, "LEASE_SECONDS"),
)

for module, name in HELD:
    # For good: every process of Dagster loads this module for itself.
    mock.patch.object(module, name, LEASE_SECONDS).start()

defs = definitions.defs
