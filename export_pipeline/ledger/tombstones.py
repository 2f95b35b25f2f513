"""Tombstones: which scans were forgotten, told by digests that name nobody."""

import hmac
import json
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from export_pipeline.errors import ConfigError
from export_pipeline.ledger.database import Tx, in_chunks
from export_pipeline.ledger.schema import tombstones
from export_pipeline.scans import ScanKey

_NOBODY = ScanKey("", "", "")
"""Buried with the first, so that a wrong key is told from a scan that was never forgotten."""


def scan_digest(secret: str, key: ScanKey) -> str:
    """Return the HMAC-SHA256, in hexadecimal, of the JSON array `[vendor, account, scan]`."""
    return _digest(secret, [key.vendor, key.account, key.scan])


def order_digest(secret: str, order_id: str) -> str:
    """Return that of `["order", id]`: what a late webhook of a forgotten scan's order has."""
    return _digest(secret, ["order", order_id])


def key_digest(secret: str) -> str:
    """Return that of nobody's tombstone, which tells whether this key made the others."""
    return scan_digest(secret, _NOBODY)


def _digest(secret: str, names: Sequence[str]) -> str:
    return hmac.digest(secret.encode(), json.dumps(names).encode(), "sha256").hex()


def add(tx: Tx, digests: Iterable[str], reason: str, at: float) -> None:
    """Note what is forgotten; what was noted before keeps its reason and time.

    Args:
        at: seconds since the epoch.
    """
    wanted = list(dict.fromkeys(digests))
    new = set(wanted) - noted(tx, wanted)
    rows = [{"digest": one, "reason": reason, "at": at} for one in wanted if one in new]
    if rows:
        tx.run(sa.insert(tombstones), rows)


def noted(tx: Tx, digests: Sequence[str]) -> set[str]:
    """Those of the digests that are noted."""
    query = sa.select(tombstones.c.digest)
    return {
        row.digest
        for some in in_chunks(digests)
        for row in tx.all(query.where(tombstones.c.digest.in_(some)))
    }


def find(tx: Tx, digest: str) -> tuple[str, float] | None:
    """Why and when it was forgotten, None if it was not."""
    row = tx.one_or_none(sa.select(tombstones).where(tombstones.c.digest == digest))
    return None if row is None else (row.reason, float(row.at))


def digests(tx: Tx) -> set[str]:
    """All that are noted."""
    return {row.digest for row in tx.all(sa.select(tombstones.c.digest))}


def has_any(tx: Tx) -> bool:
    """Whether anything was forgotten."""
    return tx.one_or_none(ANY) is not None


ANY = sa.select(tombstones.c.digest).limit(1)
"""Built once: the receiver asks at every webhook."""


def forgotten(tx: Tx, secret: str | None, keys: Sequence[ScanKey]) -> set[ScanKey]:
    """Those of the scans that were forgotten, so that they are not registered again.

    Raises:
        ConfigError: scans were forgotten, and this is not the key of their tombstones.
    """
    if not keys or not has_any(tx):
        return set()
    digests = {scan_digest(require_key(tx, secret), key): key for key in keys}
    return {digests[one] for one in noted(tx, list(digests))}


def require_key(tx: Tx, secret: str | None) -> str:
    """Return the key, if it is that of all tombstones so far.

    Raises:
        ConfigError: there is none, or it is another; says where to find the one.
    """
    if secret is None:
        raise ConfigError(
            "EXPORT_TOMBSTONE_KEY is not set: it tells which scans were forgotten; set it, or make"
            " a home that holds one with `export-pipeline check --init`"
        )
    if has_any(tx) and not noted(tx, [key_digest(secret)]):
        raise ConfigError(
            "EXPORT_TOMBSTONE_KEY is not the key under which scans were forgotten before: set that"
            " one (the file `tombstone-key` in the home where `forget` ran first), or forgotten"
            " scans would be registered again"
        )
    return secret
