"""Register many scans at once: what `registry.register` does, in a few statements a thousand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger import registry, tombstones
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import ScanState
from export_pipeline.ledger.schema import events, scans
from export_pipeline.scans import ScanKey


@dataclass(frozen=True)
class NewScan:
    """A scan to register; see `registry.register`."""

    key: ScanKey
    details: dict[str, Any]
    expires_at: float | None


@dataclass(frozen=True)
class Registered:
    """How many scans were new, learned something, were known as they are, were forgotten."""

    new: int = 0
    updated: int = 0
    known: int = 0
    forgotten: int = 0


def register_many(
    tx: Tx, told: Sequence[NewScan], *, source: str, secret: str | None
) -> Registered:
    """Add the scans, or add what is newly known to them; those once forgotten are left out.

    Args:
        secret: the key of the tombstones.

    Raises:
        ConfigError: scans were forgotten, and this is not the key by which to know them.
    """
    gone = tombstones.forgotten(tx, secret, [one.key for one in told])
    wanted = [one for one in told if one.key not in gone]
    there = registry.find_many(tx, [one.key for one in wanted])
    first = {one.key: one for one in reversed(wanted) if one.key not in there}
    _insert(tx, [one for one in wanted if first.get(one.key) is one], source)
    updated = 0
    repeats = [one for one in wanted if first.get(one.key) is not one]
    for one in repeats:
        scan = there.get(one.key)
        is_same = (
            scan is not None
            and one.expires_at in (None, scan.expires_at)
            and one.details.items() <= scan.details.items()
        )
        if not is_same:
            details, expires_at = one.details, one.expires_at
            _, changed = registry.register(
                tx, one.key, source=source, details=details, expires_at=expires_at
            )
            updated += changed
    return Registered(len(first), updated, len(repeats) - updated, len(told) - len(wanted))


def _insert(tx: Tx, new: Sequence[NewScan], source: str) -> None:
    if not new:
        return
    common = {"state": ScanState.REGISTERED, "reason": "", "source": source, "generation": 0}
    common |= {"registered_at": tx.now, "activate": False}
    rows = [
        {
            "vendor": one.key.vendor,
            "account": one.key.account,
            "scan": one.key.scan,
            "details": one.details,
            "expires_at": one.expires_at,
            **common,
        }
        for one in new
    ]
    tx.run(sa.insert(scans), rows)
    detail = {"source": source}
    added = registry.find_many(tx, [one.key for one in new]).values()
    told = {"order_id": None, "at": tx.now, "event": "registered", "detail": detail}
    tx.run(sa.insert(events), [{"scan_id": scan.id, **told} for scan in added])
