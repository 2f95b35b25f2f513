"""The demo's scans: Copyleaks completes its own, those of the others are brought in and queued."""

from collections.abc import Mapping, Sequence
from io import BytesIO

from export_pipeline.ledger import tombstones
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import QueueClass
from export_pipeline.scans import DEFAULT_ACCOUNT, ScanKey
from export_pipeline.settings import Settings
from export_pipeline.vendors.open import open_vendors
from export_pipeline.workflow.formats import format_of
from export_pipeline.workflow.importing import Imported, import_scans
from export_pipeline.workflow.register import queue_registered

COPYLEAKS_FIRST = 9
"""So many of Copyleaks come before those of any other: the hard ones are among them."""

Examples = Mapping[str, Mapping[str, Sequence[str]]]
"""What the sandbox holds ready: vendor -> what it is -> ids; the first is what a scan names."""


def share(count: int, examples: Examples) -> list[ScanKey]:
    """Which examples are among `count` scans, as many of each vendor; the rest is Copyleaks's."""
    most = max(0, count - COPYLEAKS_FIRST) // max(1, len(examples))
    return [
        ScanKey(vendor, DEFAULT_ACCOUNT, scan)
        for vendor, found in sorted(examples.items())
        for scan in next(iter(found.values()))[:most]
    ]


def remembered(settings: Settings, ledger: Ledger, keys: Sequence[ScanKey]) -> list[ScanKey]:
    """Those of the scans that nobody had forgotten on this home, which come back by nothing."""
    with ledger.read() as tx:
        gone = tombstones.forgotten(tx, settings.tombstone_secret, keys)
    return [key for key in keys if key not in gone]


def bring_in(settings: Settings, ledger: Ledger, keys: Sequence[ScanKey]) -> None:
    """Register scans and queue them, as `scans import` and the nightly schedule do."""
    vendors = open_vendors(settings, ledger)
    for vendor in dict.fromkeys(key.vendor for key in keys):
        lines = "".join(f"{key.scan}\n" for key in keys if key.vendor == vendor)
        file = BytesIO(lines.encode())
        import_scans(
            ledger,
            format_of(vendor),
            file,
            account=DEFAULT_ACCOUNT,
            secret=settings.tombstone_secret,
            imported=Imported(),
        )
        with ledger.write() as tx:
            queue_registered(tx, vendors[vendor], QueueClass.NIGHTLY, len(keys))
