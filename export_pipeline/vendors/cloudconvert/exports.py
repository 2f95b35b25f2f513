"""CloudConvert as the workflow knows it: `Vendor` over all configured accounts."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import httpx

from export_pipeline.errors import ConfigError, OrderInvalid, VendorUnavailable
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.quotas import Quota
from export_pipeline.ledger.rows import Artifact, Order, Scan
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.receiver.signatures import Signed
from export_pipeline.settings import Settings
from export_pipeline.storage.http import Http
from export_pipeline.vendors.cloudconvert.artifacts import KINDS, plan
from export_pipeline.vendors.cloudconvert.client import (
    PER_PAGE,
    VENDOR,
    CloudConvertClient,
    request_quotas,
)
from export_pipeline.vendors.cloudconvert.conversion import Converting
from export_pipeline.vendors.cloudconvert.details import Kind, ScanDetails
from export_pipeline.vendors.cloudconvert.ending import ask_after
from export_pipeline.vendors.cloudconvert.opening import Opening
from export_pipeline.vendors.cloudconvert.options import (
    PREFIX,
    CloudConvertAccount,
    CloudConvertOptions,
)
from export_pipeline.vendors.cloudconvert.placing import Placing
from export_pipeline.vendors.cloudconvert.signing import CloudConvertSigned
from export_pipeline.vendors.cloudconvert.webhooks import read_completion, read_registration
from export_pipeline.vendors.connections import Connections
from export_pipeline.vendors.http import make_client
from export_pipeline.vendors.login import CHECK_AGAIN
from export_pipeline.vendors.options import read_accounts, read_options
from export_pipeline.vendors.pacing import Sleep
from export_pipeline.vendors.vendor import (
    ArtifactKind,
    Asking,
    Completion,
    Opened,
    Placement,
    PlannedArtifact,
    Receipt,
    Registration,
)

ASKING = Asking(at_once=100, first_seconds=5.0, longest_seconds=60.0)
"""Ours: the vendor advises nothing, and its webhook comes before most questions."""
WHOLE_SECONDS = 110.0
"""The longest that placing an order takes: less than the lease under which the workflow sends."""


@dataclass(frozen=True)
class _Account:
    """What serves one account."""

    client: CloudConvertClient
    placing: Placing
    converting: Converting
    opening: Opening


class CloudConvert:
    """The vendor CloudConvert.

    Args:
        settings: with its variables; see `options`.
        ledger: quotas, and the artifacts of orders.
        http: makes the API's HTTP client, one per event loop at first use.
        clock: seconds since the epoch.
        sleep: waits for the seconds it is given.

    Raises:
        ConfigError: a variable cannot be used.
    """

    name = VENDOR
    kinds: Sequence[ArtifactKind] = KINDS
    pushes = False
    writes = True
    posts = False
    keeps = ""
    asking = ASKING
    deletes_archived = False

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        *,
        http: Callable[[], httpx.AsyncClient] = make_client,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        variables = settings.vendor_variables
        self.options = read_options(CloudConvertOptions, variables)
        self._ledger = ledger
        self._connections = Connections(http)
        self._files = Http()
        self._clock = clock
        self._sleep = sleep
        # Of webhooks that the vendor signs the addresses hold no secret of ours.
        self._addresses = Addresses(settings.receiver_url, ())
        accounts = read_accounts(PREFIX, CloudConvertAccount, variables)
        self._signed = CloudConvertSigned(accounts, self.options.reject)
        self._accounts = {account.name: self._open_account(account) for account in accounts}

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._connections.aclose()

    @property
    def accounts(self) -> Sequence[str]:
        """The accounts in the environment."""
        return list(self._accounts)

    @property
    def signed(self) -> Signed:
        """The secrets with which its webhooks are signed."""
        return self._signed

    def client(self, account: str) -> CloudConvertClient:
        """The API of one account.

        Raises:
            ConfigError: the account has no key.
        """
        return self._of(account).client

    def require(self, account: str) -> None:
        """Raise `ConfigError` for an account without a key."""
        self._of(account)

    def quotas(self, account: str) -> Sequence[Quota]:  # noqa: ARG002 - alike for all accounts
        """Requests a minute."""
        return request_quotas(self.options)

    def plan(self, scan: Scan) -> Sequence[PlannedArtifact]:
        """The files: which they are is known once they are exported."""
        return plan(scan)

    def parts(self, artifacts: Sequence[PlannedArtifact]) -> Sequence[Sequence[PlannedArtifact]]:
        """One order: a job exports all files."""
        return [artifacts]

    async def prepare(self, account: str) -> None:
        """Nothing: a key needs no login."""

    async def place(self, placement: Placement) -> Receipt:
        """Have the files of a job or task exported.

        Raises:
            VendorError: see errors.py.
            ConfigError: the account has no key, or what it is to write with cannot be used.
            StoreError: the store cannot sign for the order's whole time.
            TurnMissed: nothing was sent.
        """
        of = self._of(placement.order.account)
        call = of.client.call("the export", placement.scan.scan)
        details = ScanDetails.of_scan(placement.scan)
        if details is None:
            raise call.error(
                OrderInvalid,
                f"not sent, {placement.scan.scan!r} is no id of a job or task, such as"
                " 6559c281-ed85-4728-80db-414561c631e9: register one in its place",
            )
        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                if details.source is not None:
                    return await of.converting.place(call, placement, details, details.source)
                return await of.placing.place(call, placement, details)
        except TimeoutError:
            pass
        raise call.error(
            VendorUnavailable,
            f"not done within {WHOLE_SECONDS:.0f} s, turns included; it is tried again by itself",
        )

    async def ask(self, account: str, orders: Sequence[Order]) -> Mapping[str, Completion]:
        """The completions of those whose jobs ended, by pages of jobs where there are many.

        Raises:
            VendorError: none could be asked after.
            ConfigError: the account has no key.
        """
        return await ask_after(self.client(account), self._ledger, orders)

    def read_registration(self, status: str, body: bytes) -> Registration | None:  # noqa: ARG002
        """Read a webhook of a job that is none of ours; what it is about stands in the body.

        Raises:
            BadInput: the body is not what the vendor documents.
        """
        return read_registration(body, self.options)

    def read_completion(self, body: bytes, endpoints: Mapping[str, str]) -> Completion:
        """Read the webhook that ends a job of ours.

        Raises:
            BadInput: the body is not what the vendor documents, or the job has not ended.
        """
        return read_completion(body, list(endpoints))

    def open(self, order: Order, artifact: Artifact) -> AbstractAsyncContextManager[Opened]:
        """Stream a file from its URL, to which no credential is sent.

        Raises:
            ResultLost: the URL is dead, or the job gone.
            VendorError: see errors.py.
            ConfigError: the account has no key.
        """
        return self._of(order.account).opening.open(order, artifact.name)

    async def after_sealed(self, scan: Scan, orders: Sequence[Order]) -> None:
        """Nothing: the vendor deletes everything by itself after 24 hours (seed 003)."""

    async def erase(self, scan: Scan, orders: Sequence[Order]) -> None:
        """Delete what the orders of a scan made, and its own job or task.

        Raises:
            VendorError: not all could be deleted; doing it again later is fine.
            ConfigError: the account has no key.
        """
        client = self.client(scan.account)
        call = client.call("its deletion", scan.scan)
        details = ScanDetails.of_scan(scan)
        jobs = [order.vendor_order for order in orders if order.vendor_order]
        if details is not None and details.kind == Kind.JOB:
            jobs.append(scan.scan)
        if details is not None and details.kind == Kind.TASK:
            await client.delete(call, "tasks", scan.scan)
        for job in dict.fromkeys(jobs):
            await client.delete(call, "jobs", job)

    async def check(self, account: str) -> str:
        """Try the key.

        Raises:
            VendorError: what is wrong, in words.
            ConfigError: the account has no key.
        """
        client = self.client(account)
        call = client.call("the check", again=CHECK_AGAIN)
        async for page, _ in client.pages(call, "jobs"):
            return f"the key works; the account shows {_some(len(page))}"
        return "the key works"

    def _of(self, account: str) -> _Account:
        found = self._accounts.get(account)
        if found is None:
            raise ConfigError(
                f"CloudConvert account {account!r} has no API key: set EXPORT_CLOUDCONVERT_KEY,"
                " for another than the default account with its name between, and name it in"
                " EXPORT_CLOUDCONVERT_ACCOUNTS"
            )
        return found

    def _open_account(self, account: CloudConvertAccount) -> _Account:
        client = CloudConvertClient(
            account,
            self.options,
            self._ledger,
            self._connections,
            clock=self._clock,
            sleep=self._sleep,
        )
        hook = self._addresses.signed_webhook(VENDOR, account.name)
        is_told = self.options.job_webhooks and account.webhook_secrets
        placing = Placing(client, self.options, hook if is_told else None)
        converting = Converting(client, placing, self.options.pdfa_task)
        opening = Opening(client, self._ledger, self._files, self._clock, self._sleep)
        return _Account(client, placing, converting, opening)


def _some(jobs: int) -> str:
    return f"{jobs} jobs" if jobs < PER_PAGE else f"{PER_PAGE} jobs and more"
