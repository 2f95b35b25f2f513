"""Webhooks about what was forgotten: answered as ever, and not kept."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from export_pipeline.errors import BadInput
from export_pipeline.ledger import inbox, tombstones
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.scans import ScanKey


class Named(Protocol):
    """What a webhook says, as far as the receiver cares: which scan it is about."""

    @property
    def scan(self) -> str:
        """The vendor's own id."""


Reader = Callable[[str, bytes], Named | None]
"""`Vendor.read_registration`."""


class Forgotten:
    """Knows by their tombstones what was forgotten.

    Args:
        ledger: where the tombstones are.
        secret: their key; None where no home ever forgot anything.
        readers: by vendor, what reads a scan's own webhooks.
    """

    def __init__(self, ledger: Ledger, secret: str | None, readers: Mapping[str, Reader]) -> None:
        self._ledger = ledger
        self._secret = secret
        self._readers = readers

    def digest(self, vendor: str, account: str, topic: str, subject: str, body: bytes) -> str:
        """The digest of the scan or order that a webhook is about; "" if nobody need ask."""
        if self._secret is None or self._ledger.glance(tombstones.ANY) is None:
            return ""
        if topic == inbox.ORDERS:
            return tombstones.order_digest(self._secret, subject)
        reader = self._readers.get(vendor)
        try:
            found = reader(subject, body) if reader else None
        except BadInput:  # whoever reads the inbox sets it aside with the reason
            return ""
        if found is None:
            return ""
        return tombstones.scan_digest(self._secret, ScanKey(vendor, account, found.scan))


def receive(tx: Tx, /, digest: str, **letter: Any) -> int | None:
    """Keep a webhook (see `inbox.receive`), None if it is about something forgotten."""
    if digest and tombstones.noted(tx, [digest]):
        return None
    return inbox.receive(tx, **letter)
