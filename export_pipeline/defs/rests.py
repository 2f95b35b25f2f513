"""Accounts at rest: why nothing is sent on them, and whether a person must act."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from export_pipeline.ledger import quotas
from export_pipeline.ledger.database import Tx


@dataclass(frozen=True)
class Rest:
    """A time in which nothing is sent on an account.

    Args:
        account: the account's short name.
        until: seconds since the epoch.
        reason: what the vendor answered, and what to do.
        needs_person: whether waiting alone does not mend it.
    """

    account: str
    until: float
    reason: str
    needs_person: bool

    def __str__(self) -> str:
        until = datetime.fromtimestamp(self.until, UTC)
        return f"account {self.account} rests until {until:%Y-%m-%d %H:%M:%S} UTC: {self.reason}"


def rests(tx: Tx, vendor: str, accounts: Collection[str]) -> Sequence[Rest]:
    """Those of the accounts that rest now."""
    found = [Rest(account, *quotas.cooldown(tx, vendor, account)) for account in accounts]
    return [rest for rest in found if rest.until > tx.now]
