"""HookBridge as the workflow knows it: `Vendor` over all configured accounts."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from export_pipeline.concurrency import all_of
from export_pipeline.errors import ResultLost
from export_pipeline.ledger.quotas import Quota
from export_pipeline.ledger.rows import Artifact, Order, Scan
from export_pipeline.settings import Settings
from export_pipeline.storage.http import Http
from export_pipeline.vendors.accounts import Accounts
from export_pipeline.vendors.artifacts import ArtifactKind, PlannedArtifact
from export_pipeline.vendors.channel import in_time
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.hookbridge import VENDOR
from export_pipeline.vendors.hookbridge.artifacts import FILE, KINDS
from export_pipeline.vendors.hookbridge.client import HookBridgeClient, Shown, request_quotas
from export_pipeline.vendors.hookbridge.details import ExportDetails
from export_pipeline.vendors.hookbridge.ending import ask_after, counted, require_file
from export_pipeline.vendors.hookbridge.options import HookBridgeAccount, HookBridgeOptions
from export_pipeline.vendors.hookbridge.placing import place
from export_pipeline.vendors.login import CHECK_AGAIN
from export_pipeline.vendors.options import configure
from export_pipeline.vendors.placement import Placement, Receipt
from export_pipeline.vendors.pulling import pulled
from export_pipeline.vendors.unhooked import Unhooked
from export_pipeline.vendors.vendor import Asking, Opened

ASKING = Asking(at_once=100, first_seconds=5.0, longest_seconds=60.0)
"""Ours: the vendor advises nothing (FACTS 3.4)."""
LISTED_FROM = 10
"""Orders from which one list of all exports is asked for, in place of each single one."""


class HookBridge(Accounts[HookBridgeClient], Unhooked):
    """The vendor HookBridge."""

    name = VENDOR
    lacking = "API key: set EXPORT_HOOKBRIDGE_KEY"
    kinds: Sequence[ArtifactKind] = KINDS
    pushes = False
    writes = False
    posts = False
    keeps = ""
    asking = ASKING
    signed = None

    def _serve(self, settings: Settings) -> Mapping[str, HookBridgeClient]:
        variables = settings.vendor_variables
        configured = configure(HookBridgeOptions, HookBridgeAccount, variables)
        self.options, self._wrong = configured.options, configured.wrong
        self._files = Http()
        return {
            account.name: HookBridgeClient(account, self.options, self._channel)
            for account in configured.accounts
        }

    def client(self, account: str) -> HookBridgeClient:
        """The API of one account.

        Raises:
            ConfigError: the account has no key.
        """
        return self._of(account)

    @property
    def deletes_archived(self) -> bool:
        """Whether each export is deleted once its scan is archived."""
        return self.options.delete

    def quotas(self, account: str) -> Sequence[Quota]:  # noqa: ARG002 - alike for all accounts
        """Requests a minute."""
        return request_quotas(self.options)

    def plan(self, scan: Scan) -> Sequence[PlannedArtifact]:  # noqa: ARG002 - alike for all scans
        """The one file that every export has."""
        return [FILE]

    def parts(self, artifacts: Sequence[PlannedArtifact]) -> Sequence[Sequence[PlannedArtifact]]:
        """One order: an export has one file."""
        return [artifacts]

    async def prepare(self, account: str) -> None:
        """Nothing: a key needs no login."""

    async def place(self, placement: Placement) -> Receipt:
        """Have an export made, or adopt the one that the scan names or that an earlier send made.

        What is adopted and turns out to be over is made anew with its own filters, as is whatever
        is ordered again.

        Raises:
            VendorError: see errors.py.
            ConfigError: the account has no key.
            TurnMissed: nothing was sent.
        """
        client = self.client(placement.order.account)
        call = client.call("the export", placement.scan.scan)
        return await in_time(call, place(client, call, placement), "turns")

    async def ask(self, account: str, orders: Sequence[Order]) -> Mapping[str, Completion]:
        """The completions of those whose exports ended, by one list where there are many.

        Raises:
            VendorError: none could be asked after.
        """
        client = self.client(account)
        call = client.call("the question after exports")
        listed: dict[str, Shown] = {}
        if len(orders) >= LISTED_FROM:
            listed = {str(one.export.id): one for one in await client.list_all(call)}
        found: dict[str, Completion] = {}

        async def note(order: Order) -> None:
            export_id = order.vendor_order or ""
            completion = await ask_after(client, export_id, listed.get(export_id))
            if completion is not None:
                found[order.id] = completion

        await all_of(*map(note, orders))
        return found

    @asynccontextmanager
    async def open(self, order: Order, artifact: Artifact) -> AsyncIterator[Opened]:  # noqa: ARG002
        """Stream the export's file, and check its size and rows against what the vendor says.

        Raises:
            ResultLost: the export expired or was deleted, or its file is not what the vendor says.
            VendorError: see errors.py.
        """
        client, export_id = self.client(order.account), order.vendor_order or ""
        call = client.call(f"the file of export {export_id}")
        export, request_id = await client.get(call, export_id, missing=ResultLost)
        call = replace(call, request_id=request_id)
        require_file(call, export)

        async def locate() -> str:
            return await client.link(call, export_id)

        async with pulled(
            call, self._files, locate, size=export.file_size_bytes, sleep=self._channel.sleep
        ) as found:
            chunks = counted(call, found.chunks, export.row_count)
            yield Opened(chunks, f"{export_id}.csv", export.facts())

    async def after_sealed(self, scan: Scan, orders: Sequence[Order]) -> None:
        """Delete at the vendor what a sealed scan's orders made or adopted there.

        Raises:
            VendorError: one could not be deleted; doing it again later is fine.
        """
        await self._delete(scan, [one.vendor_order for one in orders if one.vendor_order])

    async def erase(self, scan: Scan, orders: Sequence[Order]) -> None:
        """Delete the exports that its orders made or adopted, and the one that it names.

        Raises:
            VendorError: one could not be deleted; doing it again later is fine.
            ConfigError: the account has no key.
        """
        details = ExportDetails.of_scan(scan)
        named = [str(details.export_id)] if details and details.export_id else []
        made = [one.vendor_order for one in orders if one.vendor_order]
        await self._delete(scan, [*named, *made])

    async def _delete(self, scan: Scan, export_ids: Sequence[str]) -> None:
        client = self.client(scan.account)
        call = client.call("the deletion of its export", scan.scan)
        for export_id in dict.fromkeys(export_ids):
            await client.delete(call, export_id)

    async def check(self, account: str) -> str:
        """Try the key.

        Raises:
            VendorError: what is wrong, in words.
            ConfigError: the account has no key.
        """
        client = self.client(account)
        exports = await client.list_all(client.call("the check", again=CHECK_AGAIN))
        return f"the key works; the project has {len(exports):,} exports"
