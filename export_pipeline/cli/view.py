"""Dagster as the commands that take scans out of it find it: by DAGSTER_HOME."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from export_pipeline.errors import BadInput
from export_pipeline.scans import ScanKey
from export_pipeline.workflow.forgetting.forget import View

HOME_VARIABLE = "DAGSTER_HOME"
WithoutDagster = Annotated[
    bool,
    typer.Option("--without-dagster", help=f"Do not ask for {HOME_VARIABLE}: leave Dagster as is."),
]


class NoView:
    """No Dagster, as somebody said who should know."""

    def busy(self) -> str:
        """Nothing that it could know of."""
        return ""

    def forget(self, keys: Sequence[ScanKey]) -> Sequence[str]:
        """Nothing."""
        names = ", ".join(map(str, keys))
        again = f"forget {names} once more where {HOME_VARIABLE} is set"
        return [f"everything in Dagster, if there is one: {again}"]


@contextmanager
def open_view(*, without_dagster: bool) -> Iterator[View]:
    """Open the Dagster instance of DAGSTER_HOME, or do without one.

    Raises:
        BadInput: that is not set, and nobody said that it need not be.
    """
    if without_dagster:
        yield NoView()
        return
    if not os.environ.get(HOME_VARIABLE):
        raise BadInput(
            f"nothing was deleted: {HOME_VARIABLE} is not set, so that Dagster would go on showing"
            " what is to be forgotten; set it to the folder of your dagster.yaml, or say"
            " --without-dagster"
        )
    # Imported here: Dagster takes half a second, which no other command should.
    import dagster as dg  # noqa: PLC0415

    from export_pipeline.defs.forget import DagsterView  # noqa: PLC0415

    with dg.DagsterInstance.get() as instance:
        yield DagsterView(instance)
