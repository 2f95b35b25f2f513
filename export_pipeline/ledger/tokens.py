"""Short-lived secrets that vendors give out, kept once for all processes under their names.

A login's token is one; so is a link or an older token that an order still needs. Each is readable
only with the credential that got it, and is gone once it ended.
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken

from export_pipeline.ledger.database import Tx, in_chunks
from export_pipeline.ledger.prepared import prepared
from export_pipeline.ledger.schema import tokens

LOGIN = "login"
"""The name of an account's current login token."""


def load(
    tx: Tx, vendor: str, account: str, credential: str, spare_seconds: float, name: str = LOGIN
) -> str | None:
    """The token of that name if it lives `spare_seconds` longer and this credential got it."""
    return load_many(tx, vendor, account, credential, [name], spare_seconds).get(name)


def load_many(
    tx: Tx,
    vendor: str,
    account: str,
    credential: str,
    names: Sequence[str],
    spare_seconds: float = 0.0,
) -> dict[str, str]:
    """Those of the named tokens that `load` would give, by name."""
    cipher = _cipher(credential)
    until = tx.now + spare_seconds
    rows = [
        row for some in in_chunks(names) for row in tx.all(_living(vendor, account, until, some))
    ]
    opened = {row.name: _open(cipher, row.sealed) for row in rows}
    return {name: token for name, token in opened.items() if token is not None}


@prepared
def _living(vendor: str, account: str, until: float, names: Sequence[str]) -> sa.Select[Any]:
    return sa.select(tokens.c.name, tokens.c.sealed).where(
        _is(vendor, account), tokens.c.expires_at > until, tokens.c.name.in_(names)
    )


def expires_at(tx: Tx, vendor: str, account: str, name: str = LOGIN) -> float | None:
    """When the token of that name ends, None without one."""
    row = tx.one_or_none(_end(vendor, account, name))
    return None if row is None else float(row.expires_at)


@prepared
def _end(vendor: str, account: str, name: str) -> sa.Select[Any]:
    return sa.select(tokens.c.expires_at).where(_is(vendor, account), tokens.c.name == name)


def save(
    tx: Tx,
    vendor: str,
    account: str,
    credential: str,
    token: str,
    expires_at: float,
    name: str = LOGIN,
) -> None:
    """Keep the token until `expires_at`, encrypted with a key derived from the credential."""
    tx.run(_delete_ended(vendor, account, tx.now))
    forget(tx, vendor, account, name)
    sealed = _cipher(credential).encrypt(token.encode())
    this = {"vendor": vendor, "account": account, "name": name}
    tx.run(_insert(**this, sealed=sealed, expires_at=expires_at))


@prepared
def _delete_ended(vendor: str, account: str, now: float) -> sa.Delete:
    return sa.delete(tokens).where(_is(vendor, account), tokens.c.expires_at <= now)


@prepared
def _insert(**values: Any) -> sa.Insert:
    return sa.insert(tokens).values(**values)


def forget(tx: Tx, vendor: str, account: str, name: str = LOGIN) -> None:
    """Drop a token that the vendor refused before its time."""
    tx.run(_delete(vendor, account, name))


@prepared
def _delete(vendor: str, account: str, name: str) -> sa.Delete:
    return sa.delete(tokens).where(_is(vendor, account), tokens.c.name == name)


def _open(cipher: Fernet, sealed: bytes) -> str | None:
    try:
        return cipher.decrypt(sealed).decode()
    except InvalidToken:
        return None


def _cipher(credential: str) -> Fernet:
    key = sha256(b"export_pipeline token cache\0" + credential.encode()).digest()
    return Fernet(urlsafe_b64encode(key))


def _is(vendor: str, account: str) -> sa.ColumnElement[bool]:
    return sa.and_(tokens.c.vendor == vendor, tokens.c.account == account)
