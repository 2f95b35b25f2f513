"""The ledger made anew from a container of Azure."""

from export_pipeline_tests.workflow.rebuilding.stores import RebuildConformance


class TestRebuildFromAzure(RebuildConformance):
    """See `RebuildConformance`; `store` is in `conftest`."""
