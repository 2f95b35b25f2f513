"""The ledger made anew from a container of Swift."""

from export_pipeline_tests.workflow.rebuilding.stores import RebuildConformance


class TestRebuildFromSwift(RebuildConformance):
    """See `RebuildConformance`; `store` is in `conftest`."""
