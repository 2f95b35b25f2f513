"""The ledger made anew from a web target, which lists by its index."""

from export_pipeline_tests.workflow.rebuilding.stores import RebuildConformance


class TestRebuildFromHttpPut(RebuildConformance):
    """See `RebuildConformance`; `store` is in `conftest`."""
