"""Audit reasons by name (FACTS 2.6): people know the name, the vendor takes the id."""

from collections.abc import Callable

from export_pipeline.errors import OrderRefused
from export_pipeline.vendors.laserfiche.client import LaserficheClient

EXPORT_EVENT = "ExportDocument"
FRESH_SECONDS = 600.0
"""Reasons change when an administrator changes them."""
UNKNOWN_FRESH_SECONDS = 30.0
"""A name that is unknown is looked up again after this: it may just have been added."""


class AuditReasons:
    """The reasons that an account may give for an export.

    Args:
        client: the account's API.
        clock: seconds since the epoch.
    """

    def __init__(self, client: LaserficheClient, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._ids: dict[str, int] = {}
        self._names: list[str] = []
        self._read_at = float("-inf")

    async def id_of(self, name: str, scan: str) -> int:
        """The id of the reason of that name, capitals aside.

        Raises:
            OrderRefused: the repository has no such reason for exports.
            VendorError: the reasons could not be read.
        """
        known = self._ids.get(name.casefold())
        age = self._clock() - self._read_at
        if age > (UNKNOWN_FRESH_SECONDS if known is None else FRESH_SECONDS):
            await self._read()
            known = self._ids.get(name.casefold())
        if known is not None:
            return known
        names = ", ".join(map(repr, self._names)) or "none"
        raise self._client.api.call("the export", scan).error(
            OrderRefused,
            f"auditReason: the repository has no reason {name!r} for exports that this account may"
            f" give; it has {names}: correct the option, then retry",
        )

    async def _read(self) -> None:
        reasons = await self._client.audit_reasons()
        usable = [one for one in reasons if one.audit_event_type == EXPORT_EVENT]
        self._names = [one.name for one in usable]
        self._ids = {one.name.casefold(): one.id for one in usable}
        self._read_at = self._clock()
