"""Conversions: each archived Copyleaks report is ordered once more, as a PDF/A by CloudConvert."""

from collections.abc import Sequence

from export_pipeline.archive.layout import bag_prefix, payload_key, read_prefix
from export_pipeline.ledger import cursors, registry
from export_pipeline.ledger.bulk import NewScan, register_many
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import QueueClass, Scan
from export_pipeline.ledger.sealed import SealedFile, sealed_files
from export_pipeline.scans import DEFAULT_ACCOUNT, ScanKey
from export_pipeline.vendors.cloudconvert import VENDOR as CLOUDCONVERT
from export_pipeline.vendors.cloudconvert.details import Kind, ScanDetails, Source
from export_pipeline.vendors.copyleaks import VENDOR as COPYLEAKS
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow.order import request

CURSOR = "cloudconvert/pdfa"
REPORT = "pdf_report"
SUFFIX = ".pdfa"
SETTLED_SECONDS = 60.0
"""A seal is taken up this long after its time: one that is noted meanwhile may bear an older."""
SET_BACK_SECONDS = 86_400.0
"""What is looked at again after the clock was set back; a report that was ordered is not ordered
anew, nor one whose scan has a newer one that was."""


def conversion_of(report: ScanKey) -> ScanKey:
    """The conversion's scan: `<scan>.pdfa`, of other accounts `<scan>.pdfa@<account>`."""
    account = "" if report.account == DEFAULT_ACCOUNT else f"@{report.account}"
    return ScanKey(CLOUDCONVERT, DEFAULT_ACCOUNT, f"{report.scan}{SUFFIX}{account}")


def conversions_of(key: ScanKey) -> list[ScanKey]:
    """The scans that are made of this one, whether or not they are registered."""
    return [conversion_of(key)] if key.vendor == COPYLEAKS else []


def source_of(scan: Scan) -> ScanKey | None:
    """The scan of which this one is made, None if of none."""
    source = scan.details.get("source") if scan.vendor == CLOUDCONVERT else None
    return ScanKey(source["vendor"], source["account"], source["scan"]) if source else None


def convert_sealed(tx: Tx, vendor: Vendor, *, limit: int, secret: str | None) -> int:
    """Register and order the conversions of reports sealed since the last time; return how many.

    A report that was archived anew, with other bytes, is converted into a new generation. Of a scan
    that has several the newest alone counts, whichever the clock says was sealed last.

    Args:
        tx: a writing transaction.
        vendor: CloudConvert.
        limit: at most so many.
        secret: the key of the tombstones; see `register_many`.
    """
    until = tx.now - SETTLED_SECONDS
    told = cursors.load(tx, CURSOR) or (0.0, 0)
    if told[0] > until:
        # The clock was set back: what is sealed since bears a time before this one.
        cursors.save(tx, CURSOR, told := [until - SET_BACK_SECONDS, 0])
    reports = sealed_files(tx, COPYLEAKS, REPORT, after=tuple(told), until=until, limit=limit)
    if reports:
        _order(tx, vendor, reports, secret)
        cursors.save(tx, CURSOR, [reports[-1].sealed_at, reports[-1].scan_id])
    return len(reports)


def _order(tx: Tx, vendor: Vendor, reports: Sequence[SealedFile], secret: str | None) -> None:
    before = registry.find_many(tx, [conversion_of(one.key) for one in reports])
    newest = {one.key: one for one in sorted(reports, key=lambda one: one.generation)}
    new = [
        NewScan(conversion_of(one.key), _details(one), None)
        for one in newest.values()
        if one.generation >= _generation(before.get(conversion_of(one.key)))
    ]
    register_many(tx, new, source="sealed", secret=secret)
    for scan in registry.find_many(tx, [one.key for one in new]).values():
        known = before.get(scan.key)
        is_other = known is not None and _sha256(known.details) != _sha256(scan.details)
        request(tx, vendor, scan, queue_class=QueueClass.NIGHTLY, new_generation=is_other)


def _details(report: SealedFile) -> dict[str, object]:
    bag = bag_prefix(report.key, report.generation)
    source = Source(
        bag=bag,
        key=payload_key(bag, report.name),
        sha256=report.sha256,
        size=report.size,
        vendor=report.key.vendor,
        account=report.key.account,
        scan=report.key.scan,
    )
    return ScanDetails(kind=Kind.CONVERSION, source=source).to_json()


def _generation(conversion: Scan | None) -> int:
    """Of which generation the report is that was ordered, 0 if none was."""
    source = conversion.details.get("source") if conversion is not None else None
    return read_prefix(source["bag"])[1] if source else 0


def _sha256(details: dict[str, object]) -> object:
    source = details.get("source")
    return source.get("sha256") if isinstance(source, dict) else None
