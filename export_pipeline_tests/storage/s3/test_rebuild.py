"""The ledger made anew from a bucket, whose listing has an order of its own."""

from export_pipeline_tests.workflow.rebuilding.stores import RebuildConformance


class TestRebuildFromS3(RebuildConformance):
    """See `RebuildConformance`; `store` is in `conftest`."""
