"""Open what a command works with: settings, ledger, vendors, store."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import typer

from export_pipeline.ledger import summary
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.home import open_ledger
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.scans import DEFAULT_ACCOUNT
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
def open_home(
    home: Path | None, account: str | None = None, vendor: str | None = None
) -> Iterator[OpenHome]:
    """Open a home, on which a command works for this account, if one is named.

    Raises:
        NoLedger: it has no ledger.
        typer.BadParameter: neither the settings nor the ledger know the account.
    """
    with opened(read_settings(home)) as there:
        require_account(there.ledger, there.vendors, account, vendor)
        yield there


def require_account(
    ledger: Ledger, vendors: Mapping[str, Vendor], account: str | None, vendor: str | None
) -> None:
    """Make sure that the account is one of the vendor's, or of any's: a typo finds nothing.

    Raises:
        typer.BadParameter: neither the settings nor the ledger know it.
    """
    if account in (None, DEFAULT_ACCOUNT):
        return
    with ledger.read() as tx:
        known = set(summary.accounts(tx))
    known |= {(one.name, name) for one in vendors.values() for name in [*one.accounts, *one.wrong]}
    names = {DEFAULT_ACCOUNT, *(name for whose, name in known if vendor in (None, whose))}
    if account not in names:
        of = f" of {vendor}" if vendor else ""
        raise typer.BadParameter(
            f"{account!r} is no account{of} in the settings or the ledger: use one of"
            f" {', '.join(sorted(names))}",
            param_hint="--account",
        )


@contextmanager
def opened(settings: Settings) -> Iterator[OpenHome]:
    """Open the home of these settings.

    Raises:
        NoLedger: it has no ledger.
    """
    ledger = open_ledger(settings.ledger_url)
    try:
        yield OpenHome(settings, ledger, open_vendors(settings, ledger))
    finally:
        ledger.close()
