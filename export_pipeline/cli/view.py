"""Dagster as the commands that take scans out of it find it: by DAGSTER_HOME."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from export_pipeline.scans import ScanKey
from export_pipeline.workflow.forgetting.forget import View

HOME_VARIABLE = "DAGSTER_HOME"


class NoView:
    """No Dagster that this command can reach."""

    def busy(self) -> str:
        """Nothing that it could know of."""
        return ""

    def forget(self, keys: Sequence[ScanKey]) -> Sequence[str]:
        """Nothing."""
        names = ", ".join(key.partition_key for key in keys)
        again = f"{HOME_VARIABLE} is not set here: run the same command once more where it is"
        return [f"everything in Dagster ({names}), since {again}"]


@contextmanager
def open_view() -> Iterator[View]:
    """Open the Dagster instance of DAGSTER_HOME, if that is set."""
    if not os.environ.get(HOME_VARIABLE):
        yield NoView()
        return
    # Imported here: Dagster takes half a second, which no other command should.
    import dagster as dg  # noqa: PLC0415

    from export_pipeline.defs.forget import DagsterView  # noqa: PLC0415

    with dg.DagsterInstance.get() as instance:
        yield DagsterView(instance)
