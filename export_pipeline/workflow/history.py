"""Everything that the ledger knows of one scan, read at one moment."""

from collections.abc import Sequence
from dataclasses import dataclass

from export_pipeline.errors import BadInput, UnknownScan
from export_pipeline.ledger import artifacts, events, orders, summary
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Artifact, Event, Generation, Order, Scan
from export_pipeline.scans import ScanKey


@dataclass(frozen=True)
class History:
    """A scan with all its rows, oldest first; `artifacts` are those of each generation."""

    scan: Scan
    generations: Sequence[Generation]
    orders: Sequence[Order]
    artifacts: Sequence[Artifact]
    events: Sequence[Event]


def read_history(tx: Tx, scan: Scan) -> History:
    """Read it."""
    found = summary.generations_of(tx, scan.id)
    return History(
        scan=scan,
        generations=found,
        orders=orders.of_scan(tx, scan.id),
        artifacts=[
            artifact
            for generation in found
            for artifact in artifacts.of_generation(tx, scan.id, generation.number)
        ],
        events=events.history(tx, scan.id),
    )


def find_named(tx: Tx, name: str, account: str | None = None, vendor: str | None = None) -> Scan:
    """The one scan that `name` means: the vendor's own id, else Dagster's partition key.

    Raises:
        UnknownScan: the ledger has none.
        BadInput: several vendors or accounts have one of that id; names them.
    """
    # A shell hands over bytes that are not UTF-8 as surrogates, which no database takes.
    found = (
        summary.find_scans(tx, names=[name], account=account, vendor=vendor)
        if name.isprintable()
        else []
    )
    found = found or _by_partition_key(tx, name, account, vendor)
    if not found:
        whose = {"vendor": vendor, "account": account}
        of = "".join(f" of {what} {one!r}" for what, one in whose.items() if one is not None)
        raise UnknownScan(
            f"the ledger has no scan {name!r}{of}: see `export-pipeline scans list`, or"
            " register it with `export-pipeline scans import`"
        )
    if len(found) > 1:
        owners = ", ".join(f"{scan.vendor} {scan.account}" for scan in found)
        raise BadInput(
            f"several have a scan {name!r} ({owners}): name one by --vendor and --account"
        )
    return found[0]


def _by_partition_key(tx: Tx, name: str, account: str | None, vendor: str | None) -> list[Scan]:
    try:
        key = ScanKey.from_partition_key("", name)
    except BadInput:
        return []
    if ":" not in name and account is None:
        return summary.find_scans(tx, names=[key.scan], vendor=vendor)
    return summary.find_scans(tx, names=[key.scan], account=account or key.account, vendor=vendor)
