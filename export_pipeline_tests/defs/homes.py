"""A home whose definitions are run in this process, as a code server of Dagster would load them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from export_pipeline.defs import resources
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.home import make_ledger
from export_pipeline.settings import Settings


@contextmanager
def home_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]
) -> Iterator[Settings]:
    """The settings of a home in `folder`, with these variables set."""
    for name, value in {**environment, "EXPORT_PIPELINE_HOME": str(folder)}.items():
        monkeypatch.setenv(name, value)
    settings = Settings.from_env({}, folder)
    try:
        yield settings
    finally:
        resources._ledger(settings.ledger_url).close()
        resources._ledger.cache_clear()


def with_resources(defs: dg.Definitions) -> dg.Definitions:
    """One vendor's definitions, with what they need."""
    return dg.Definitions.merge(defs, dg.Definitions(resources=resources.resources()))


@contextmanager
def ledger_of(settings: Settings) -> Iterator[Ledger]:
    """The home's ledger, opened beside the one that the definitions use."""
    ledger = make_ledger(settings.ledger_url)
    try:
        yield ledger
    finally:
        ledger.close()
