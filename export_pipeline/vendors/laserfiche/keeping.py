"""What an order needs later and nobody may read: its link, or the token that its task belongs to.

Both are kept as login tokens are, so that another process can ask and collect. Where they are gone,
the order is made again.
"""

from collections.abc import Mapping, Sequence

from export_pipeline.ledger import tokens
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import Order
from export_pipeline.vendors.laserfiche import VENDOR

LINK_SECONDS = 86_400.0
"""Ours: how long a link lives is documented nowhere (FACTS 2.5); it is tried until it is dead."""


class Keeping:
    """The secrets of one account's orders.

    Args:
        account: the account's short name.
        credential: seals them.
        ledger: where they are kept.
    """

    def __init__(self, account: str, credential: str, ledger: Ledger) -> None:
        self._account = account
        self._credential = credential
        self._ledger = ledger

    async def keep_links(self, links: Mapping[str, str]) -> None:
        """Keep, by order id, the links to what orders made."""

        def keep(tx: Tx) -> None:
            for order_id, link in links.items():
                self._save(tx, _link(order_id), link, tx.now + LINK_SECONDS)

        if links:
            await self._ledger.apply(keep)

    async def keep_token(self, order_id: str, token: str) -> None:
        """Keep the token that an order's task belongs to, until that token ends."""

        def keep(tx: Tx) -> None:
            ends = tokens.expires_at(tx, VENDOR, self._account)
            if ends is not None:
                self._save(tx, _token(order_id), token, ends)

        await self._ledger.apply(keep)

    async def link(self, order_id: str) -> str | None:
        """The link to what an order made, None if it is not kept."""
        return await self._ledger.look(
            tokens.load, VENDOR, self._account, self._credential, 0.0, _link(order_id)
        )

    async def tokens(self, orders: Sequence[Order]) -> dict[str, str]:
        """Order id -> the token that its task belongs to, where that still lives."""
        names = {_token(order.id): order.id for order in orders}
        found = await self._ledger.look(
            tokens.load_many, VENDOR, self._account, self._credential, list(names)
        )
        return {names[name]: token for name, token in found.items()}

    def _save(self, tx: Tx, name: str, secret: str, ends: float) -> None:
        tokens.save(tx, VENDOR, self._account, self._credential, secret, ends, name)


def _link(order_id: str) -> str:
    return f"link/{order_id}"


def _token(order_id: str) -> str:
    return f"token/{order_id}"
