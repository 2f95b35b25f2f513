"""The ledger made anew from a folder over SFTP."""

from export_pipeline_tests.workflow.rebuilding.stores import RebuildConformance


class TestRebuildFromSftp(RebuildConformance):
    """See `RebuildConformance`; `store` is in `conftest`."""
