"""Exports at work: at once or as a task, and how they misbehave where an entry says so."""

from collections.abc import Callable

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.files import File
from export_pipeline.sandbox.laserfiche.accounts import Token
from export_pipeline.sandbox.laserfiche.contents import content
from export_pipeline.sandbox.laserfiche.entries import (
    CANCELLED_FIRST,
    CORRUPT_FIRST,
    CUT_FIRST,
    DEAD_LINK_FIRST,
    DENIED,
    FAILS_FIRST,
    LOCKED,
    LOST_FIRST,
    NEVER_ENDS_FIRST,
    REFUSED,
    Entry,
)
from export_pipeline.sandbox.laserfiche.errors import ProblemError
from export_pipeline.sandbox.laserfiche.links import Links
from export_pipeline.sandbox.laserfiche.options import LaserficheOptions
from export_pipeline.sandbox.laserfiche.orders import ExportOrder
from export_pipeline.sandbox.laserfiche.stats import AcceptedOrder, Stats
from export_pipeline.sandbox.laserfiche.tasks import EXPORT, NEVER, Task, Tasks

SYNC_SECONDS = 60.0
"""Seed 001: a synchronous export fails if it takes longer."""


class Exporting:
    """Makes the files of exports.

    Args:
        clock: tells the time and waits.
        links: gives out the links.
        stats: counts what began.
        options: the vendor's options, as they are now.
    """

    def __init__(
        self,
        clock: Clock,
        links: Links,
        stats: Stats,
        options: Callable[[], LaserficheOptions],
    ) -> None:
        self._clock = clock
        self._links = links
        self._stats = stats
        self._options = options

    async def at_once(self, entry: Entry, order: ExportOrder) -> str:
        """The link of an export that the caller waits for."""
        if LOCKED in entry.spec.traits:
            raise ProblemError(423, "Entry is locked.")
        is_first = self._begin(entry, order)
        self._stats.orders.append(AcceptedOrder(entry.id, order.part, ""))
        seconds = self._seconds(entry)
        await self._clock.sleep(min(seconds, SYNC_SECONDS))
        if seconds > SYNC_SECONDS:
            raise ProblemError(self._options().sync_timeout, "The export timed out.")
        if is_first and FAILS_FIRST in entry.spec.traits:
            raise ProblemError(500, "Export operation failed due to an internal server error.")
        return self._link(entry, order, is_first=is_first)

    def start(self, tasks: Tasks, token: Token, entry: Entry, order: ExportOrder) -> Task:
        """The task of an export that goes on by itself."""
        is_first = self._begin(entry, order)
        traits = entry.spec.traits if is_first else ()
        seconds = NEVER if NEVER_ENDS_FIRST in traits else self._seconds(entry)

        def outcome() -> str:
            if REFUSED in entry.spec.traits:
                raise ProblemError(400, "An audit reason is required.", "[9030]")
            if FAILS_FIRST in traits:
                raise ProblemError(500, "Export operation failed due to an internal server error.")
            return self._link(entry, order, is_first=is_first)

        task = tasks.start(EXPORT, token, entry.id, seconds, outcome)
        self._stats.orders.append(AcceptedOrder(entry.id, order.part, task.id))
        task.is_cancelled = CANCELLED_FIRST in traits
        task.is_forgotten = LOST_FIRST in traits
        return task

    def _begin(self, entry: Entry, order: ExportOrder) -> bool:
        if DENIED in entry.spec.traits:
            raise ProblemError(403, "Access denied for the operation.")
        content(entry, order)
        return entry.count(order.part)

    def _seconds(self, entry: Entry) -> float:
        given = entry.spec.work_seconds
        return self._options().limits.work_seconds if given is None else given

    def _link(self, entry: Entry, order: ExportOrder, *, is_first: bool) -> str:
        traits = entry.spec.traits if is_first else ()
        file, name = content(entry, order)
        if CORRUPT_FIRST in traits:
            file = File(b"\0" * len(file.body), file.media_type, '"corrupt"')
        seconds = 0.0 if DEAD_LINK_FIRST in traits else self._options().link_seconds
        return self._links.give(file, name, seconds, cut=CUT_FIRST in traits)
