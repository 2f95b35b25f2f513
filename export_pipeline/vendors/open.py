"""From the settings to the vendors; a new vendor is one line in `_VENDORS`."""

from collections.abc import Callable, Sequence

from export_pipeline.ledger.database import Ledger
from export_pipeline.settings import Settings
from export_pipeline.vendors.copyleaks.exports import Copyleaks
from export_pipeline.vendors.hookbridge.exports import HookBridge
from export_pipeline.vendors.laserfiche.exports import Laserfiche
from export_pipeline.vendors.vendor import Vendor

_VENDORS: Sequence[Callable[[Settings, Ledger], Vendor]] = (Copyleaks, Laserfiche, HookBridge)


def open_vendors(settings: Settings, ledger: Ledger) -> dict[str, Vendor]:
    """Every vendor by its name, with the accounts that the settings name; nothing is sent."""
    vendors = [make(settings, ledger) for make in _VENDORS]
    return {vendor.name: vendor for vendor in vendors}
