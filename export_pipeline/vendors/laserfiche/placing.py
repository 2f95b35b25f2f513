"""Placing an order: look at the entry, decide how it is exported, and have it exported."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from weakref import WeakValueDictionary

from export_pipeline.errors import OrderRefused, TurnMissed
from export_pipeline.ledger import registry
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import Scan
from export_pipeline.vendors.artifacts import Availability, PlannedArtifact
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.laserfiche.answers import DOCUMENT, SHORTCUT
from export_pipeline.vendors.laserfiche.artifacts import PART_OF_KIND, absent, artifact
from export_pipeline.vendors.laserfiche.client import ExportCall, LaserficheClient, OnTime
from export_pipeline.vendors.laserfiche.details import EntryFacts, ExportOptions, ScanDetails
from export_pipeline.vendors.laserfiche.keeping import Keeping
from export_pipeline.vendors.laserfiche.models import ExportRequest, Part, selected_pages
from export_pipeline.vendors.laserfiche.options import LaserficheOptions
from export_pipeline.vendors.laserfiche.reasons import AuditReasons
from export_pipeline.vendors.laserfiche.slot import Slot
from export_pipeline.vendors.placement import Placement, Receipt

ENTRY_SECONDS = 60.0
"""How long an entry is taken to be as it was read: one reading serves all parts of a scan."""


def is_sync(
    part: Part, options: ExportOptions, facts: EntryFacts, limits: LaserficheOptions, sends: int
) -> bool:
    """Whether a part is small enough for the call that fails after 60 s (seed 001).

    Args:
        part: the part.
        options: with its page range.
        facts: size and pages of the entry.
        limits: how much is small.
        sends: how often the order was sent before: what failed once may have taken too long.
    """
    if sends > 0:
        return False
    if part == Part.EDOC:
        return facts.size is not None and facts.size <= limits.sync_bytes
    if facts.pages is None:
        return False
    return selected_pages(options.page_range, facts.pages) <= limits.sync_pages


def export_call(scan: str, part: Part, options: ExportOptions, reason_id: int | None) -> ExportCall:
    """What is asked for: of the options those that concern the part."""
    told = {
        "audit_reason_id": reason_id,
        "audit_reason_comment": options.audit_reason_comment,
        "image_options": options.image_options if part == Part.IMAGE else None,
        "text_options": options.text_options if part == Part.TEXT else None,
    }
    given = {name: value for name, value in told.items() if value is not None}
    pages = None if part == Part.EDOC else options.page_range
    return ExportCall(scan, ExportRequest(part=part, **given), pages)


@dataclass(frozen=True)
class _Read:
    at: float
    facts: EntryFacts


class Placing:
    """Places the orders of one account.

    Args:
        client: its API.
        options: what is exported, and what is small.
        ledger: keeps what is learned of entries.
        keeping: keeps links and tokens.
        slot: held while a task runs; None where the account may run several.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        client: LaserficheClient,
        options: LaserficheOptions,
        ledger: Ledger,
        keeping: Keeping,
        slot: Slot | None,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._options = options
        self._ledger = ledger
        self._keeping = keeping
        self._slot = slot
        self._clock = clock
        self._reasons = AuditReasons(client, clock)
        self._entries: dict[str, _Read] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def place(self, placement: Placement) -> Receipt:
        """Have one part of an entry exported.

        Raises:
            VendorError: see errors.py.
            TurnMissed: nothing was sent.
        """
        scan = placement.scan
        (kind,) = placement.kinds.values()
        part = PART_OF_KIND[kind]
        details = ScanDetails.model_validate(scan.details)
        options = details.options.over(self._options.export)
        facts = await self._facts(scan, details)
        planned = artifact(part, options, facts)
        if planned.availability == Availability.ABSENT:
            return Receipt(files=(planned,), completion=Completion())
        wanted = export_call(scan.scan, part, options, await self._reason_id(scan, options))
        try:
            is_small = is_sync(part, options, facts, self._options, placement.order.sends)
            return await self._send(placement, planned, wanted, is_small=is_small)
        except OrderRefused as error:
            is_doubtful = planned.availability == Availability.UNKNOWN
            if not (is_doubtful and error.status == HTTPStatus.BAD_REQUEST):
                raise
            lacking = absent(part, facts, str(error))
            return Receipt(error.request_id, files=(lacking,), completion=Completion())

    async def _send(
        self,
        placement: Placement,
        planned: PlannedArtifact,
        wanted: ExportCall,
        *,
        is_small: bool,
    ) -> Receipt:
        if not is_small:
            return await self._begin(placement, planned, wanted, placement.is_on_time)
        try:
            return await self._at_once(placement, planned, wanted)
        except OrderRefused as error:
            # FACTS 2.2: too much for the call that waits, and with it the claimed turn is spent.
            if error.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                raise
        return await self._begin(placement, planned, wanted, None)

    async def _at_once(
        self, placement: Placement, planned: PlannedArtifact, wanted: ExportCall
    ) -> Receipt:
        await placement.leaves()
        exported = await self._client.export(wanted, placement.is_on_time)
        await self._keeping.keep_links({placement.order.id: exported.link})
        ready = Completion(is_ready=True)
        return Receipt(exported.request_id, files=(planned,), completion=ready)

    async def _begin(
        self,
        placement: Placement,
        planned: PlannedArtifact,
        wanted: ExportCall,
        is_on_time: OnTime | None,
    ) -> Receipt:
        order = placement.order.id
        if self._slot is not None:
            await self._slot.take(order)
            is_on_time = None  # what was claimed passed while it waited
        try:
            await placement.leaves()
            started = await self._client.start_export(wanted, is_on_time)
        except TurnMissed:
            raise  # the slot is the order's, and so the process's that took the order over
        except BaseException:
            if self._slot is not None:
                await self._slot.free(order)
            raise
        await self._keeping.keep_token(order, started.token)
        return Receipt(started.request_id, started.task, files=(planned,))

    async def _reason_id(self, scan: Scan, options: ExportOptions) -> int | None:
        if options.audit_reason is None:
            return options.audit_reason_id
        return await self._reasons.id_of(options.audit_reason, scan.scan)

    async def _facts(self, scan: Scan, details: ScanDetails) -> EntryFacts:
        """The entry as it is now, noted with the scan: what it is called tells what is planned."""
        lock = self._locks.get(scan.scan) or asyncio.Lock()
        self._locks[scan.scan] = lock
        async with lock:
            now = self._clock()
            known = self._entries.get(scan.scan)
            if known is not None and now - known.at <= ENTRY_SECONDS:
                return known.facts
            facts = await self._read(scan)
            if facts != details.entry:
                told = ScanDetails(entry=facts).to_json()
                await self._ledger.apply(registry.register, scan.key, source="entry", details=told)
            self._remember(scan.scan, facts, now)
        return facts

    def _remember(self, scan: str, facts: EntryFacts, now: float) -> None:
        old = [name for name, one in self._entries.items() if now - one.at > ENTRY_SECONDS]
        for name in old:
            del self._entries[name]
        self._entries[scan] = _Read(now, facts)

    async def _read(self, scan: Scan) -> EntryFacts:
        entry = await self._client.entry(scan.scan)
        if entry.entry_type == DOCUMENT:
            return entry.facts
        todo = "register the documents in it"
        if entry.entry_type == SHORTCUT:
            todo = f"register entry {entry.target_id}, to which it leads"
        raise self._client.api.call("the export", scan.scan).error(
            OrderRefused,
            f"the entry is a {entry.entry_type} and no document: {todo}",
        )
