"""Resources: the ledger, the store, and each vendor's API, put together as a `Pipeline`."""

import os
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import ConfigDict, Field

from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.home import make_ledger
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.settings import Settings
from export_pipeline.storage.open import open_store, scheme_of
from export_pipeline.storage.store import Store
from export_pipeline.vendors.cloudconvert.exports import CloudConvert
from export_pipeline.vendors.copyleaks.exports import Copyleaks
from export_pipeline.vendors.hookbridge.exports import HookBridge
from export_pipeline.vendors.laserfiche.exports import Laserfiche
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow.pipeline import Pipeline


@lru_cache(maxsize=8)
def _ledger(url: str) -> Ledger:
    """One handle a process: its connections are pooled."""
    return make_ledger(url)


class PipelineSettings(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Settings from the environment; see the README's table."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    home: str | None = None
    """Overrides EXPORT_PIPELINE_HOME."""

    def read(self) -> Settings:
        """Read the environment.

        Raises:
            ConfigError: names the variable that cannot be used.
        """
        return Settings.from_env(os.environ, Path(self.home) if self.home else None)


class LedgerResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The ledger: SQLite in the home, or the database that EXPORT_LEDGER_URL names."""

    settings: dg.ResourceDependency[PipelineSettings]

    def open(self) -> Ledger:
        """Open the ledger, made first if there is none."""
        settings = self.settings.read()
        settings.make_home()
        return _ledger(settings.ledger_url)


def secret(overrides: str) -> Any:
    """Declare a field that Dagster's UI, a repr and a log never show.

    Args:
        overrides: the variable that it goes before.
    """
    return Field(
        default=None,
        description=f"Overrides {overrides}; set it by `EnvVar`.",
        json_schema_extra={"dagster__is_secret": True},
        repr=False,
    )


class Storage(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The store that EXPORT_STORAGE_URL names, with its backend's variables."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    settings: dg.ResourceDependency[PipelineSettings]
    url: str | None = None
    """Overrides EXPORT_STORAGE_URL."""

    def open(self) -> Store:
        """Open the store.

        Raises:
            ConfigError: EXPORT_STORAGE_URL names none, or a variable cannot be used.
        """
        settings = self.settings.read()
        variables = {**settings.storage_variables, **self.variables()}
        return open_store(self.url or settings.storage_url, variables)

    def variables(self) -> Mapping[str, str]:
        """Return what is configured in Dagster, as the variables that it overrides."""
        return {}


class VendorResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """One vendor's API with all its configured accounts, the ledger and the store."""

    settings: dg.ResourceDependency[PipelineSettings]
    ledger: dg.ResourceDependency[LedgerResource]
    storage: dg.ResourceDependency[Storage]

    def vendor(self, settings: Settings, ledger: Ledger) -> Vendor:
        """Make the vendor's client."""
        raise NotImplementedError

    def pipeline(self) -> Pipeline:
        """Everything that the workflow needs for this vendor."""
        settings, ledger = self.settings.read(), self.ledger.open()
        return Pipeline(
            settings=settings,
            ledger=ledger,
            store=self.storage.open(),
            vendor=self.vendor(settings, ledger),
            addresses=Addresses(settings.receiver_url, settings.secrets),
        )


class CopyleaksApi(VendorResource):
    """Copyleaks's API, by the accounts in the environment."""

    def vendor(self, settings: Settings, ledger: Ledger) -> Vendor:
        """Make Copyleaks's client for the accounts in the environment."""
        return Copyleaks(settings, ledger)


class LaserficheApi(VendorResource):
    """Laserfiche's API, by the accounts in the environment."""

    def vendor(self, settings: Settings, ledger: Ledger) -> Vendor:
        """Make Laserfiche's client for the accounts in the environment."""
        return Laserfiche(settings, ledger)


class HookBridgeApi(VendorResource):
    """HookBridge's API, by the accounts in the environment."""

    def vendor(self, settings: Settings, ledger: Ledger) -> Vendor:
        """Make HookBridge's client for the accounts in the environment."""
        return HookBridge(settings, ledger)


class CloudConvertApi(VendorResource):
    """CloudConvert's API, by the accounts in the environment."""

    def vendor(self, settings: Settings, ledger: Ledger) -> Vendor:
        """Make CloudConvert's client for the accounts in the environment."""
        return CloudConvert(settings, ledger)


def resources() -> dict[str, dg.ConfigurableResource]:  # type: ignore[type-arg]
    """All resources by the key under which assets and jobs ask for them."""
    settings = PipelineSettings()
    ledger = LedgerResource(settings=settings)
    storage = _storage(settings)
    return {
        "settings": settings,
        "ledger": ledger,
        "storage": storage,
        "copyleaks": CopyleaksApi(settings=settings, ledger=ledger, storage=storage),
        "laserfiche": LaserficheApi(settings=settings, ledger=ledger, storage=storage),
        "hookbridge": HookBridgeApi(settings=settings, ledger=ledger, storage=storage),
        "cloudconvert": CloudConvertApi(settings=settings, ledger=ledger, storage=storage),
    }


def _storage(settings: PipelineSettings) -> Storage:
    """The resource for the scheme of EXPORT_STORAGE_URL, where what it builds on is installed."""
    scheme = scheme_of(os.environ.get("EXPORT_STORAGE_URL", ""))
    module, name = _STORAGES.get(scheme, ("resources", "Storage"))
    try:
        found = import_module(f"export_pipeline.defs.{module}")
    except ModuleNotFoundError:
        # Opening the store then says which extra to install.
        return Storage(settings=settings)
    made: Storage = getattr(found, name)(settings=settings)
    return made


_STORAGES = {
    "s3": ("s3", "S3Storage"),
    "gs": ("gcs", "GCSStorage"),
    "az": ("azure", "AzureStorage"),
    "swift": ("swift", "SwiftStorage"),
    "sftp": ("sftp", "SftpStorage"),
    "https": ("http_put", "HttpPutStorage"),
    "http": ("http_put", "HttpPutStorage"),
}
"""By scheme: the module beside this one, and its resource."""
