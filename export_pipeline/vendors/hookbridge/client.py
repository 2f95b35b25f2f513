"""HookBridge's API for one project: its exports, and the link to each one's file."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote, urljoin

from export_pipeline.errors import (
    AuthenticationFailed,
    RateLimited,
    ResultLost,
    ScanGone,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.ledger.quotas import Quota
from export_pipeline.vendors.channel import Channel
from export_pipeline.vendors.hookbridge import VENDOR
from export_pipeline.vendors.hookbridge.filters import Filters
from export_pipeline.vendors.hookbridge.models import (
    Export,
    ExportAnswer,
    ExportsAnswer,
    read_error,
)
from export_pipeline.vendors.hookbridge.options import PREFIX, HookBridgeAccount, HookBridgeOptions
from export_pipeline.vendors.http import Answer, Call, classify
from export_pipeline.vendors.keyed import Claimed, KeyedClient, Refusal
from export_pipeline.vendors.options import infix
from export_pipeline.vendors.payloads import undocumented

LIST_BYTES = 64 << 20
"""What is read of the list of all exports, some 100,000 of them: it has no pages (FACTS 3.2)."""
SKEW_SECONDS = 60.0
"""How far the vendor's clock may be behind the ledger's."""
DELETE_PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds before another try to delete what the vendor calls active: that may pass (FACTS 3.2)."""
_KINDS: dict[str, type[VendorError]] = {
    "UNAUTHORIZED": AuthenticationFailed,
    "FORBIDDEN": AuthenticationFailed,
    "NOT_FOUND": ScanGone,
    "EXPORT_NOT_READY": VendorUnavailable,
    "EXPORT_ACTIVE": VendorUnavailable,
    "EXPORT_EXPIRED": ResultLost,
    "RATE_LIMITED": RateLimited,
    "RATE_LIMIT_EXCEEDED": RateLimited,
    "REPLAY_LIMIT_EXCEEDED": RateLimited,
}
"""What the vendor's codes mean (seed 002, FACTS 3.3); their statuses are in part undocumented."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_FOUND = (
    "the account's project has no such export: it was deleted, or its project is another one, whose"
    " account to name; its window can be registered in its place"
)


class Shown(NamedTuple):
    """An export as the vendor showed it, with the id of that request."""

    export: Export
    request_id: str | None


def request_quotas(options: HookBridgeOptions) -> Sequence[Quota]:
    """The limit on all calls of a project (FACTS 3.1)."""
    return (Quota("requests per minute", options.requests_per_minute, 60),)


class HookBridgeClient(KeyedClient):
    """The calls of one account."""

    def __init__(
        self,
        account: HookBridgeAccount,
        options: HookBridgeOptions,
        channel: Channel,
    ) -> None:
        super().__init__(account.key, request_quotas(options), channel, address=f"{PREFIX}API_URL")
        self._account = account
        self._api = f"{options.api_url}/v1/exports"

    def call(self, doing: str, scan: str | None = None, *, again: str = "") -> Call:
        """A call of this account, as its errors name it; see `Call`."""
        variable = f"{PREFIX}{infix(self._account.name)}KEY"
        advice: dict[type[VendorError], str] = {
            AuthenticationFailed: f"correct {variable}, then run `export-pipeline check`",
            ScanGone: _NOT_FOUND,
        }
        return Call(VENDOR, self._account.name, doing, scan, (self._key,), again, advice)

    async def create(self, call: Call, filters: Filters, claimed: Claimed = None) -> Shown:
        """Have an export made; twice makes two (FACTS 3.2: there is no idempotency key).

        Raises:
            VendorError: see `_failure`.
            TurnMissed: nothing was sent.
        """
        body = filters.model_dump_json(exclude_defaults=True).encode()
        return self._shown(call, await self._send(call, "POST", self._api, claimed, body=body))

    async def list_all(self, call: Call, claimed: Claimed = None) -> list[Shown]:
        """Every export of the project.

        Raises:
            VendorError: see `_failure`.
        """
        answer = await self._send(call, "GET", self._api, claimed, answer_bytes=LIST_BYTES)
        read = self._read(call, self._success(call, answer), ExportsAnswer)
        request_id = answer.request_id
        return [Shown(export, request_id) for export in read.exports]

    async def find(
        self, call: Call, filters: Filters, since: float, claimed: Claimed = None
    ) -> Shown | None:
        """The newest export of just these filters that was created since, unless it is over.

        Args:
            call: what it is part of.
            filters: compared with those of each export.
            since: seconds since the epoch, by the ledger's clock.
            claimed: see `Claimed`.

        Raises:
            VendorError: see `_failure`.
        """
        earliest = datetime.fromtimestamp(since - SKEW_SECONDS, UTC)
        alike = [
            one
            for one in await self.list_all(call, claimed)
            if one.export.created_at >= earliest
            and not one.export.is_over
            and one.export.filters == filters
        ]
        return max(alike, key=lambda one: one.export.created_at, default=None)

    async def get(
        self,
        call: Call,
        export_id: str,
        claimed: Claimed = None,
        *,
        missing: type[VendorError] = ScanGone,
    ) -> Shown:
        """One export; the error is a `missing` if there is none.

        Raises:
            VendorError: see `_failure`.
        """
        answer = await self._send(call, "GET", self._url(export_id), claimed)
        return self._shown(call, answer, missing)

    async def link(self, call: Call, export_id: str) -> str:
        """A link to the file of a completed export, good for a while, without credentials.

        Raises:
            ResultLost: the export expired or was deleted.
            VendorUnavailable: it is not completed yet.
            VendorError: see `_failure`.
        """
        answer = await self._send(call, "GET", f"{self._url(export_id)}/download")
        if answer.status in _REDIRECTS and (location := answer.headers.get("Location")):
            return urljoin(self._api, str(location))
        self._success(call, answer, ResultLost)
        raise undocumented(call, answer, "it should redirect to the file", self._address)

    async def delete(self, call: Call, export_id: str) -> None:
        """Delete an export with its file; one that is gone already is fine.

        Raises:
            VendorUnavailable: it is active, try after try.
            VendorError: see `_failure`.
        """
        answer = await self._send(call, "DELETE", self._url(export_id))
        for pause in DELETE_PAUSES:
            if read_error(answer.body)[0] != "EXPORT_ACTIVE":
                break
            await self._channel.sleep(pause)
            answer = await self._send(call, "DELETE", self._url(export_id))
        if read_error(answer.body)[0] != "NOT_FOUND":
            self._success(call, answer)

    def _url(self, export_id: str) -> str:
        return f"{self._api}/{quote(export_id, safe='')}"

    def _shown(self, call: Call, answer: Answer, missing: type[VendorError] = ScanGone) -> Shown:
        answer = self._success(call, answer, missing)
        return Shown(self._read(call, answer, ExportAnswer).data, answer.request_id)

    def _refusal(self, answer: Answer) -> Refusal:
        """By the vendor's code, where it gives none by the status; never by its words."""
        code, said = read_error(answer.body)
        return Refusal(_KINDS.get(code) or classify(answer), said)
