"""Scans that were forgotten before, found again by their ids and tombstones."""

from collections.abc import Iterator, Mapping

from export_pipeline.errors import BadInput
from export_pipeline.ledger import summary, tombstones
from export_pipeline.ledger.database import Tx
from export_pipeline.scans import DEFAULT_ACCOUNT, ScanKey
from export_pipeline.settings import Settings
from export_pipeline.vendors.vendor import Vendor


def find_forgotten(
    tx: Tx,
    settings: Settings,
    vendors: Mapping[str, Vendor],
    name: str,
    account: str | None = None,
    vendor: str | None = None,
) -> ScanKey | None:
    """The one forgotten scan that `name` means: the vendor's own id, or Dagster's partition key.

    A tombstone tells no id: the id is looked for under every vendor and account that is known.

    Raises:
        BadInput: several vendors or accounts had one of that id; names them.
        ConfigError: EXPORT_TOMBSTONE_KEY is not the key of the tombstones.
    """
    if settings.tombstone_secret is None:
        return None
    owners = {(one.name, each) for one in vendors.values() for each in _accounts(one, account)}
    owners |= set(summary.accounts(tx))
    wanted = {
        key
        for owner in owners
        for key in _meanings(owner, name)
        if vendor in (None, key.vendor) and account in (None, key.account)
    }
    found = tombstones.forgotten(tx, settings.tombstone_secret, list(wanted))
    if len(found) > 1:
        raise BadInput(
            f"several scans {name!r} were forgotten ({', '.join(sorted(map(str, found)))}):"
            " name one by --vendor and --account"
        )
    return next(iter(found), None)


def _accounts(vendor: Vendor, account: str | None) -> tuple[str, ...]:
    return (DEFAULT_ACCOUNT, *vendor.accounts, *([account] if account else []))


def _meanings(owner: tuple[str, str], name: str) -> Iterator[ScanKey]:
    vendor, account = owner
    yield ScanKey(vendor, account, name)
    try:
        read = ScanKey.from_partition_key(vendor, name)
    except BadInput:
        return
    yield read if ":" in name else ScanKey(vendor, account, read.scan)
