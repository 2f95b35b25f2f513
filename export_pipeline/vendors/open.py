"""From the settings to the vendors; a new vendor is one line in `_VENDORS`."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from export_pipeline.ledger.database import Ledger
from export_pipeline.settings import Settings
from export_pipeline.storage.options import Variable, declared
from export_pipeline.vendors.cloudconvert.exports import CloudConvert
from export_pipeline.vendors.cloudconvert.options import CloudConvertAccount, CloudConvertOptions
from export_pipeline.vendors.copyleaks.exports import Copyleaks
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

_VENDORS: Sequence[Callable[[Settings, Ledger], Vendor]] = (
    Copyleaks,
    Laserfiche,
    HookBridge,
    CloudConvert,
)


def open_vendors(settings: Settings, ledger: Ledger) -> dict[str, Vendor]:
    """Every vendor by its name, with the accounts that the settings name; nothing is sent."""
    vendors = [make(settings, ledger) for make in _VENDORS]
    return {vendor.name: vendor for vendor in vendors}


VARIABLES: Sequence[tuple[type[VendorOptions], type[VendorAccount]]] = (
    (HookBridgeOptions, HookBridgeAccount),
    (LaserficheOptions, LaserficheAccount),
    (CloudConvertOptions, CloudConvertAccount),
)
"""The options and the account of each vendor that keeps its own variables."""


def vendor_variables(variables: Mapping[str, str]) -> Iterator[Variable]:
    """Every variable of those vendors, of each account that is named.

    Raises:
        ConfigError: something is named that cannot be an account.
    """
    for options, account in VARIABLES:
        prefix = options.prefix
        for name in account_names(prefix, variables):
            yield from account_variables(prefix, account, name)
        yield Variable(f"{prefix}{ACCOUNTS}", "Names of further accounts")
        yield from declared(options)
