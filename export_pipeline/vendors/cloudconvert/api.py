"""How CloudConvert's API is called for one account, and what its refusals mean."""

from collections.abc import Sequence
from datetime import UTC, datetime

from export_pipeline.errors import (
    AuthenticationFailed,
    RateLimited,
    ScanGone,
    VendorError,
)
from export_pipeline.ledger.quotas import Quota
from export_pipeline.vendors.channel import Channel
from export_pipeline.vendors.cloudconvert import VENDOR
from export_pipeline.vendors.cloudconvert.models import CREDITS_EXCEEDED, read_error
from export_pipeline.vendors.cloudconvert.options import (
    PREFIX,
    CloudConvertAccount,
    CloudConvertOptions,
)
from export_pipeline.vendors.http import Answer, Call, classify
from export_pipeline.vendors.keyed import Claimed, KeyedClient, Refusal
from export_pipeline.vendors.options import infix

ANSWER_BYTES = 64 << 20
"""What is read of an answer: a page of jobs, each with all its tasks and their files."""
SYNC_SECONDS = 60.0
"""How long the host that waits may hold its answer (ours: no limit is documented)."""
_PAYMENT_REQUIRED = 402
_TOO_MANY = "too many"
"""FACTS 4.6: a 402 says so without a documented code where jobs run already; that passes."""
_GONE = (
    "the account has none of that id (any more): CloudConvert deletes everything 24 hours after its"
    " end; if it is younger, it is another account's, to be named with it"
)


class CreditsSpent(AuthenticationFailed):
    """The account has no credits left: nothing is done for it before somebody buys some."""


def request_quotas(options: CloudConvertOptions) -> Sequence[Quota]:
    """The limit on all calls of an account; the vendor publishes none (FACTS 4.6)."""
    return (Quota("requests per minute", options.requests_per_minute, 60),)


class CloudConvertApi(KeyedClient):
    """How the calls of one account are sent, and what a refusal of them means."""

    def __init__(
        self,
        account: CloudConvertAccount,
        options: CloudConvertOptions,
        channel: Channel,
    ) -> None:
        super().__init__(account.key, request_quotas(options), channel, address=f"{PREFIX}API_URL")
        self.account = account
        self._api = f"{options.api_url}/v2"
        self._sync_api = f"{options.sync_url}/v2"

    def call(
        self,
        doing: str,
        scan: str | None = None,
        *,
        again: str = "",
        secrets: Sequence[str] = (),
        expires_at: float | None = None,
    ) -> Call:
        """A call of this account, as its errors name it; see `Call`.

        `expires_at` is when the vendor deletes the scan, seconds since the epoch; None if unknown.
        """
        variable = f"{PREFIX}{infix(self.account.name)}KEY"
        advice: dict[type[VendorError], str] = {
            AuthenticationFailed: f"correct {variable}: it needs the scopes task.read and"
            " task.write; then run `export-pipeline check`",
            CreditsSpent: f"buy credits for the account of {variable} before what waits is lost:"
            f" {_lost(expires_at)}",
            ScanGone: _GONE,
        }
        every = (self._key, *secrets)
        return Call(VENDOR, self.account.name, doing, scan, every, again, advice)

    async def _call(
        self,
        call: Call,
        method: str,
        path: str,
        claimed: Claimed = None,
        *,
        body: bytes | None = None,
        waits: bool = False,
    ) -> Answer:
        return await self._send(
            call,
            method,
            (self._sync_api if waits else self._api) + path,
            claimed,
            body=body,
            hold_seconds=SYNC_SECONDS if waits else 0.0,
            answer_bytes=ANSWER_BYTES,
        )

    def _refusal(self, answer: Answer) -> Refusal:
        """By the status; of a 402 by the vendor's code, since some of them pass."""
        code, said, fields = read_error(answer.body)
        kind = classify(answer)
        if answer.status == _PAYMENT_REQUIRED and not answer.is_page:
            passes = code != CREDITS_EXCEEDED and _TOO_MANY in said.lower()
            kind = RateLimited if passes else CreditsSpent
        return Refusal(kind, said, fields)


def _lost(expires_at: float | None) -> str:
    if expires_at is None:
        return "each job is deleted 24 hours after its end"
    return f"this one is deleted at {datetime.fromtimestamp(expires_at, UTC):%Y-%m-%d %H:%M} UTC"
