"""The ledger made anew from a bucket of Google."""

from export_pipeline_tests.workflow.rebuilding.stores import RebuildConformance


class TestRebuildFromGcs(RebuildConformance):
    """See `RebuildConformance`; `store` is in `conftest`."""
