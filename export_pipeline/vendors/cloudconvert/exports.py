"""CloudConvert as the workflow knows it: `Vendor` over all configured accounts."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

from export_pipeline.errors import OrderInvalid
from export_pipeline.ledger.quotas import Quota
from export_pipeline.ledger.rows import Artifact, Order, Scan
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.receiver.signatures import Signed
from export_pipeline.settings import Settings
from export_pipeline.storage.http import Http
from export_pipeline.vendors.accounts import Accounts
from export_pipeline.vendors.artifacts import ArtifactKind, PlannedArtifact
from export_pipeline.vendors.channel import in_time
from export_pipeline.vendors.cloudconvert import VENDOR
from export_pipeline.vendors.cloudconvert.api import request_quotas
from export_pipeline.vendors.cloudconvert.artifacts import KINDS, plan
from export_pipeline.vendors.cloudconvert.client import PER_PAGE, CloudConvertClient
from export_pipeline.vendors.cloudconvert.conversion import Converting
from export_pipeline.vendors.cloudconvert.details import Kind, ScanDetails
from export_pipeline.vendors.cloudconvert.ending import ask_after
from export_pipeline.vendors.cloudconvert.models import place_of
from export_pipeline.vendors.cloudconvert.opening import Opening
from export_pipeline.vendors.cloudconvert.options import (
    PREFIX,
    CloudConvertAccount,
    CloudConvertOptions,
    CloudConvertSigner,
)
from export_pipeline.vendors.cloudconvert.placing import Placing
from export_pipeline.vendors.cloudconvert.signatures import CloudConvertSigned
from export_pipeline.vendors.cloudconvert.webhooks import read_completion, read_registration
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.login import CHECK_AGAIN
from export_pipeline.vendors.options import configure, read_accounts
from export_pipeline.vendors.placement import Placement, Receipt
from export_pipeline.vendors.vendor import Asking, Opened, Registration

ASKING = Asking(at_once=100, first_seconds=5.0, longest_seconds=60.0)
"""Ours: the vendor advises nothing, and its webhook comes before most questions."""


@dataclass(frozen=True)
class _Account:
    """What serves one account."""

    client: CloudConvertClient
    placing: Placing
    converting: Converting
    opening: Opening


class CloudConvert(Accounts[_Account]):
    """The vendor CloudConvert."""

    name = VENDOR
    lacking = "API key: set EXPORT_CLOUDCONVERT_KEY"
    kinds: Sequence[ArtifactKind] = KINDS
    pushes = False
    writes = True
    posts = False
    keeps = ""
    asking = ASKING
    deletes_archived = False

    def _serve(self, settings: Settings) -> Mapping[str, _Account]:
        variables = settings.vendor_variables
        configured = configure(CloudConvertOptions, CloudConvertAccount, variables)
        self.options, self._wrong = configured.options, configured.wrong
        self._files = Http()
        # Of webhooks that the vendor signs the addresses hold no secret of ours.
        self._addresses = Addresses(settings.receiver_url, ())
        signers, _ = read_accounts(PREFIX, CloudConvertSigner, variables)
        self._signed = CloudConvertSigned(signers, self.options.reject)
        return {account.name: self._open_account(account) for account in configured.accounts}

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
        scan = placement.scan
        call = of.client.call("the export", scan.scan, expires_at=scan.expires_at)
        details = ScanDetails.of_scan(placement.scan)
        if details is None:
            raise call.error(
                OrderInvalid,
                f"not sent, {placement.scan.scan!r} is no id of a job or task, such as"
                " 6559c281-ed85-4728-80db-414561c631e9: register one in its place",
            )
        if details.source is not None:
            return await of.converting.place(call, placement, details, details.source)
        return await in_time(call, of.placing.place(call, placement, details), "turns")

    async def ask(self, account: str, orders: Sequence[Order]) -> Mapping[str, Completion]:
        """The completions of those whose jobs ended, by pages of jobs where there are many.

        Raises:
            VendorError: none could be asked after.
            ConfigError: the account has no key.
        """
        return await ask_after(self.client(account), self._channel.ledger, orders)

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
        made = [place_of(order.vendor_order)[:2] for order in orders if order.vendor_order]
        if details is not None:
            kinds = [kind for kind in (Kind.JOB, Kind.TASK) if details.may_be(kind)]
            made += [(f"{kind}s", scan.scan) for kind in kinds]
        for what, its_id in dict.fromkeys(made):
            await client.delete(call, what, its_id)

    async def check(self, account: str) -> str:
        """Try whether the key may read, and whether it may order; nothing is ordered.

        Raises:
            VendorError: what is wrong, in words.
            ConfigError: the account has no key.
        """
        client = self.client(account)
        call = client.call("the check", again=CHECK_AGAIN)
        async with aclosing(client.pages(call, "jobs")) as pages:
            shown, _ = await anext(pages)
        await client.try_ordering(call)
        return f"the key works, and may order; the account shows {_some(len(shown))}"

    def _open_account(self, account: CloudConvertAccount) -> _Account:
        channel = self._channel
        client = CloudConvertClient(account, self.options, channel)
        hook = self._addresses.signed_webhook(VENDOR, account.name)
        is_told = self.options.job_webhooks and account.webhook_secrets
        placing = Placing(client, channel.ledger, self.options)
        converting = Converting(client, placing, self.options.pdfa_task, hook if is_told else None)
        opening = Opening(client, channel.ledger, self._files, channel.clock, channel.sleep)
        return _Account(client, placing, converting, opening)


def _some(jobs: int) -> str:
    return f"{jobs} jobs" if jobs < PER_PAGE else f"{PER_PAGE} jobs and more"
