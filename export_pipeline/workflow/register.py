"""Register scans from the inbox, and queue those that nobody has asked for yet."""

from export_pipeline.errors import BadInput
from export_pipeline.ledger import events, inbox, registry, reports, tombstones
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Letter, QueueClass, Scan, ScanState
from export_pipeline.scans import ScanKey
from export_pipeline.settings import Settings
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow import describe
from export_pipeline.workflow.order import put_back, request
from export_pipeline.workflow.settle import report


def read_registrations(tx: Tx, vendor: Vendor, settings: Settings, limit: int) -> list[Scan]:
    """Register the scans of up to `limit` webhooks, and order them where the settings say so.

    A webhook that comes twice changes nothing the second time; one that cannot be read is set
    aside with the reason, one of a scan that was forgotten is deleted. A new webhook of an expired
    scan shows that the vendor has it after all; where the settings leave ordering to others (an
    import), it stays expired.
    """
    registered = []
    for letter in inbox.unhandled(tx, vendor.name, inbox.SCANS, limit):
        try:
            scan = _register(tx, vendor, letter, settings)
        except BadInput as error:
            inbox.reject(tx, letter.id, str(error))
            continue
        inbox.handled(tx, [letter.id])
        if scan is not None:
            registered.append(scan)
    return registered


def _order(tx: Tx, vendor: Vendor, scan: Scan) -> None:
    if scan.state == ScanState.REGISTERED:
        request(tx, vendor, scan, queue_class=QueueClass.WEBHOOK)
    elif scan.state == ScanState.EXPIRED:
        put_back(tx, vendor, scan, queue_class=QueueClass.WEBHOOK, why="a new webhook came")


def _register(tx: Tx, vendor: Vendor, letter: Letter, settings: Settings) -> Scan | None:
    found = vendor.read_registration(letter.subject, letter.body)
    if found is None:
        return None
    key = ScanKey(vendor.name, letter.account, found.scan)
    if tombstones.forgotten(tx, settings.tombstone_secret, [key]):
        inbox.drop(tx, letter.id)
        return None
    scan, _ = registry.register(
        tx, key, source="webhook", details=found.details, expires_at=found.expires_at
    )
    if found.failure and scan.state == ScanState.REGISTERED:
        registry.settle(tx, scan.id, ScanState.FAILED, found.failure)
        events.record(tx, scan.id, "failed at the vendor", reason=found.failure)
        shown = (reports.FAILED, {"reason": found.failure})
        report(tx, scan, scan.generation, describe.BAG, shown)
        return registry.by_id(tx, scan.id)
    if settings.order_on_webhook and not found.failure:
        _order(tx, vendor, scan)
    return scan


def queue_registered(tx: Tx, vendor: Vendor, queue_class: QueueClass, limit: int) -> list[Scan]:
    """Queue up to `limit` registered scans that nobody has ordered, soonest to expire first."""
    chosen = registry.soonest_to_expire(tx, vendor.name, limit)
    for scan in chosen:
        request(tx, vendor, scan, queue_class=queue_class)
    return chosen
