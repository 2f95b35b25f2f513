"""A vendor's login token, cached once for all processes, readable only with its own credential."""

from base64 import urlsafe_b64encode
from hashlib import sha256

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.schema import accounts


def load(tx: Tx, vendor: str, account: str, credential: str, spare_seconds: float) -> str | None:
    """The cached token if it lives `spare_seconds` longer and this credential bought it."""
    row = tx.one_or_none(
        sa.select(accounts.c.token, accounts.c.token_expires_at).where(_is(vendor, account))
    )
    if row is None or row.token is None or row.token_expires_at <= tx.now + spare_seconds:
        return None
    try:
        return _cipher(credential).decrypt(row.token).decode()
    except InvalidToken:
        return None


def expires_at(tx: Tx, vendor: str, account: str) -> float | None:
    """When the cached token ends, None without one."""
    row = tx.one_or_none(
        sa.select(accounts.c.token_expires_at).where(
            _is(vendor, account), accounts.c.token.is_not(None)
        )
    )
    return None if row is None else float(row.token_expires_at)


def save(tx: Tx, vendor: str, account: str, credential: str, token: str, expires_at: float) -> None:
    """Keep the token until `expires_at`, encrypted with a key derived from the credential."""
    values = {
        "token": _cipher(credential).encrypt(token.encode()),
        "token_expires_at": expires_at,
    }
    if not tx.run(sa.update(accounts).where(_is(vendor, account)).values(**values)):
        tx.run(
            sa.insert(accounts).values(vendor=vendor, account=account, cooldown_reason="", **values)
        )


def forget(tx: Tx, vendor: str, account: str) -> None:
    """Drop a token that the vendor refused before its time."""
    tx.run(sa.update(accounts).where(_is(vendor, account)).values(token=None))


def _cipher(credential: str) -> Fernet:
    key = sha256(b"export_pipeline token cache\0" + credential.encode()).digest()
    return Fernet(urlsafe_b64encode(key))


def _is(vendor: str, account: str) -> sa.ColumnElement[bool]:
    return sa.and_(accounts.c.vendor == vendor, accounts.c.account == account)
