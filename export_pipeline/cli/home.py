"""Open what a command works with: settings, ledger, vendors, store."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.home import open_ledger
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.settings import Settings
from export_pipeline.storage.open import open_store
from export_pipeline.storage.store import Store
from export_pipeline.vendors.open import open_vendors
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow.pipeline import Pipeline


@dataclass
class OpenHome:
    """A home whose ledger is open."""

    settings: Settings
    ledger: Ledger
    vendors: dict[str, Vendor]

    @cached_property
    def store(self) -> Store:
        """The store that the settings name; one, whose connections last as long as the home."""
        return open_store(self.settings.storage_url, self.settings.storage_variables)

    def pipeline(self, vendor: str) -> Pipeline:
        """What the workflow needs for this vendor."""
        return Pipeline(
            settings=self.settings,
            ledger=self.ledger,
            store=self.store,
            vendor=self.vendors[vendor],
            addresses=Addresses(self.settings.receiver_url, self.settings.secrets),
        )


def read_settings(home: Path | None) -> Settings:
    """The settings of the environment and `--home`."""
    return Settings.from_env(os.environ, home)


@contextmanager
def open_home(home: Path | None) -> Iterator[OpenHome]:
    """Open a home.

    Raises:
        NoLedger: it has no ledger.
    """
    settings = read_settings(home)
    ledger = open_ledger(settings.ledger_url)
    try:
        yield OpenHome(settings, ledger, open_vendors(settings, ledger))
    finally:
        ledger.close()
