"""Laserfiche as the workflow knows it: `Vendor` over all configured accounts."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from export_pipeline.errors import ResultLost
from export_pipeline.ledger.quotas import Quota
from export_pipeline.ledger.rows import Artifact, Order, Scan
from export_pipeline.settings import Settings
from export_pipeline.storage.http import Http
from export_pipeline.vendors.accounts import Accounts
from export_pipeline.vendors.artifacts import ArtifactKind, PlannedArtifact
from export_pipeline.vendors.channel import in_time
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.file_names import file_name
from export_pipeline.vendors.laserfiche import VENDOR
from export_pipeline.vendors.laserfiche.api import Api, export_quota
from export_pipeline.vendors.laserfiche.artifacts import KINDS, parts, plan
from export_pipeline.vendors.laserfiche.client import (
    QUESTIONS,
    TASKS_PER_CALL,
    LaserficheClient,
)
from export_pipeline.vendors.laserfiche.ending import ask_after
from export_pipeline.vendors.laserfiche.keeping import Keeping
from export_pipeline.vendors.laserfiche.login import credential
from export_pipeline.vendors.laserfiche.options import (
    LaserficheAccount,
    LaserficheOptions,
)
from export_pipeline.vendors.laserfiche.placing import Placing
from export_pipeline.vendors.laserfiche.slot import Slot, open_slot
from export_pipeline.vendors.options import configure
from export_pipeline.vendors.placement import Placement, Receipt
from export_pipeline.vendors.pulling import pulled
from export_pipeline.vendors.unhooked import Unhooked
from export_pipeline.vendors.vendor import Asking, Opened

ASKING = Asking(
    at_once=TASKS_PER_CALL,
    first_seconds=1.0,
    longest_seconds=60.0,
    holds=True,
    together=10,
    apart_seconds=QUESTIONS.interval,
)
"""The vendor holds its answer until a task ends, a minute at most (seed 001, FACTS 2.4).

Issue 4: 1,000 open tasks are ten questions, all held at once; 10,000 are asked after in turn within
the 15 minutes for which the vendor remembers an ended task.
"""


@dataclass(frozen=True)
class _Account:
    """What serves one account."""

    client: LaserficheClient
    keeping: Keeping
    slot: Slot | None
    placing: Placing


class Laserfiche(Accounts[_Account], Unhooked):
    """The vendor Laserfiche."""

    name = VENDOR
    lacking = (
        "credentials: set EXPORT_LASERFICHE_REPOSITORY with _URL, _USERNAME and _PASSWORD"
        " (self-hosted) or _ACCESS_KEY and _SERVICE_KEY (cloud)"
    )
    kinds: Sequence[ArtifactKind] = KINDS
    pushes = False
    writes = False
    posts = False
    keeps = "the document itself is the team's own: delete it in the repository"
    asking = ASKING
    signed = None
    deletes_archived = False

    def _serve(self, settings: Settings) -> Mapping[str, _Account]:
        variables = settings.vendor_variables
        configured = configure(LaserficheOptions, LaserficheAccount, variables)
        self.options, self._wrong = configured.options, configured.wrong
        self._hold_seconds = settings.order_deadline
        self._files = Http()
        return {account.name: self._open_account(account) for account in configured.accounts}

    def client(self, account: str) -> LaserficheClient:
        """The API of one account.

        Raises:
            ConfigError: the account has no credentials.
        """
        return self._of(account).client

    def quotas(self, account: str) -> Sequence[Quota]:  # noqa: ARG002 - alike for all accounts
        """Exports a minute."""
        return [export_quota(self.options)]

    def plan(self, scan: Scan) -> Sequence[PlannedArtifact]:
        """Every part that is asked for, with what is known of it."""
        return plan(scan, self.options.parts, self.options.export)

    def parts(self, artifacts: Sequence[PlannedArtifact]) -> Sequence[Sequence[PlannedArtifact]]:
        """One order for each part."""
        return parts(artifacts)

    async def prepare(self, account: str) -> None:
        """Log in, unless a token is cached."""
        login = self.client(account).api.login
        if await login.cached() is None:
            await login.renew()

    async def place(self, placement: Placement) -> Receipt:
        """Have one part of an entry exported: at once where it is small, else as a task.

        Should this process die before the answer is noted, the part is exported once more: the
        vendor tells of no task which part it exports, so none can be adopted.

        Raises:
            VendorError: see errors.py.
            ConfigError: the account has no credentials, or does not see its repository.
            TurnMissed: nothing was sent.
        """
        of = self._of(placement.order.account)
        call = of.client.api.call("the export", placement.scan.scan)
        again = "it is tried again by itself, as a task"
        return await in_time(call, of.placing.place(placement), "login and turns", again)

    async def ask(self, account: str, orders: Sequence[Order]) -> Mapping[str, Completion]:
        """The completions of those whose tasks ended; held by the vendor until one does.

        Raises:
            VendorError: none could be asked after.
            ConfigError: the account has no credentials.
        """
        of = self._of(account)
        ended = await ask_after(of.client, of.keeping, orders)
        if of.slot is not None:
            for order_id in ended:
                await of.slot.free(order_id)
        return ended

    @asynccontextmanager
    async def open(self, order: Order, artifact: Artifact) -> AsyncIterator[Opened]:
        """Stream an export's file from its link, which needs no credential (FACTS 2.5).

        Raises:
            ResultLost: the link is dead, or is not kept (any more).
            VendorError: see errors.py.
            ConfigError: the account has no credentials.
        """
        of = self._of(order.account)
        call = of.client.api.call(f"the download of {artifact.name}")
        links = [link for link in (await of.keeping.link(order.id),) if link is not None]

        async def locate() -> str:
            if not links:
                raise call.error(
                    ResultLost, f"its link is dead or gone; {call.what_to_do(ResultLost)}"
                )
            return links.pop()

        async with pulled(call, self._files, locate, sleep=self._channel.sleep) as found:
            name = file_name(found.headers.get("content-disposition", ""))
            media_type = found.headers.get("content-type", "")
            yield Opened(found.chunks, name, {"content_type": media_type} if media_type else {})

    async def after_sealed(self, scan: Scan, orders: Sequence[Order]) -> None:
        """Nothing: the vendor forgets tasks by itself, and the documents are the team's own."""

    async def erase(self, scan: Scan, orders: Sequence[Order]) -> None:
        """End the tasks of the orders that still have their tokens; the document stays.

        Raises:
            VendorError: not all could be ended; doing it again later is fine.
            ConfigError: the account has no credentials.
        """
        of = self._of(scan.account)
        kept = await of.keeping.tokens(orders)
        for order in orders:
            if order.vendor_order and order.id in kept:
                await of.client.forget(order.vendor_order, kept[order.id])

    async def check(self, account: str) -> str:
        """Log in, whatever is cached, and look for the repository.

        Raises:
            VendorError: what is wrong, in words.
            ConfigError: the account has no credentials, or does not see its repository.
        """
        client = self.client(account)
        await client.api.login.renew(anew=True)
        repository = await client.require_repository()
        ends = await client.api.login.expires_at()
        until = f"{datetime.fromtimestamp(ends or 0.0, UTC):%Y-%m-%d %H:%M} UTC"
        return (
            f"logged in, the token lives until {until}; the repository {repository.id}"
            f" ({repository.name}) is there"
        )

    def _open_account(self, account: LaserficheAccount) -> _Account:
        channel = self._channel
        client = LaserficheClient(Api(account, self.options, channel), self.options)
        keeping = Keeping(account.name, credential(account), channel.ledger)
        slot = open_slot(account, channel, self._hold_seconds)
        placing = Placing(client, self.options, channel.ledger, keeping, slot, clock=channel.clock)
        return _Account(client, keeping, slot, placing)
