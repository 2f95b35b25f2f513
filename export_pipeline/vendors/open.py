"""From the settings to the vendors; a new vendor is one line in `_VENDORS`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from export_pipeline.ledger.database import Ledger
from export_pipeline.settings import Settings
from export_pipeline.storage.options import Variable, declared
from export_pipeline.vendors.cloudconvert.exports import CloudConvert
from export_pipeline.vendors.cloudconvert.options import CloudConvertAccount, CloudConvertOptions
from export_pipeline.vendors.copyleaks.exports import Copyleaks
from export_pipeline.vendors.copyleaks.options import CopyleaksAccount, CopyleaksOptions
from export_pipeline.vendors.hookbridge.exports import HookBridge
from export_pipeline.vendors.hookbridge.options import HookBridgeAccount, HookBridgeOptions
from export_pipeline.vendors.laserfiche.exports import Laserfiche
from export_pipeline.vendors.laserfiche.options import LaserficheAccount, LaserficheOptions
from export_pipeline.vendors.options import (
    ACCOUNTS,
    VendorAccount,
    VendorOptions,
    account_names,
    account_variables,
)
from export_pipeline.vendors.vendor import Vendor


class _Maker(Protocol):
    name: str

    def __call__(self, settings: Settings, ledger: Ledger) -> Vendor: ...


_VENDORS: Sequence[_Maker] = (Copyleaks, Laserfiche, HookBridge, CloudConvert)
VENDOR_NAMES = tuple(make.name for make in _VENDORS)


def open_vendors(settings: Settings, ledger: Ledger) -> dict[str, Vendor]:
    """Every vendor by its name, with the accounts that the settings name; nothing is sent."""
    vendors = [make(settings, ledger) for make in _VENDORS]
    return {vendor.name: vendor for vendor in vendors}


VARIABLES: Sequence[tuple[type[VendorOptions], type[VendorAccount]]] = (
    (CopyleaksOptions, CopyleaksAccount),
    (LaserficheOptions, LaserficheAccount),
    (HookBridgeOptions, HookBridgeAccount),
    (CloudConvertOptions, CloudConvertAccount),
)
"""The options and the account of each vendor."""


def vendor_variables(variables: Mapping[str, str]) -> Iterator[Variable]:
    """Every variable of the vendors, of each account that is named."""
    for options, account in VARIABLES:
        prefix = options.prefix
        for name in account_names(prefix, variables):
            yield from account_variables(prefix, account, name)
        vendor = options.__name__.removesuffix("Options")
        yield Variable(f"{prefix}{ACCOUNTS}", f"Names of further {vendor} accounts")
        yield from declared(options)
