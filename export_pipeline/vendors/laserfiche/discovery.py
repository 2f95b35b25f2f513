"""Finding documents to archive: those of a folder, or those that a search finds.

Each look takes what was modified since the newest modification known, less an overlap; by the
vendor's clock, which alone wrote those times. An entry may show up with an older time than that: it
was moved in, restored, or the account was let see it. So from time to time everything is looked at,
however old, and nothing is missed for longer. What was found before is found again, and changes
nothing.

A folder is listed newest first and left at the first page that is older, if the vendor kept to that
order. What slips from one page to another while they are read is found by the overlap. Documents
alone are found, of a folder those directly in it; for a tree, search with `{LF:LookIn=...}`.
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import add
from secrets import token_hex
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict

from export_pipeline.errors import OrderRefused, ScanGone, VendorError, VendorUnavailable
from export_pipeline.ledger import cursors
from export_pipeline.ledger.bulk import NewScan, Registered, register_many
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.scans import ScanKey
from export_pipeline.vendors.channel import TURN_SECONDS
from export_pipeline.vendors.http import Call
from export_pipeline.vendors.laserfiche import VENDOR
from export_pipeline.vendors.laserfiche.answers import DOCUMENT, Entry, EntryPage, StartedTask
from export_pipeline.vendors.laserfiche.api import Request
from export_pipeline.vendors.laserfiche.client import HOLD_SECONDS, LaserficheClient
from export_pipeline.vendors.laserfiche.details import ScanDetails
from export_pipeline.vendors.laserfiche.ending import completion_of
from export_pipeline.vendors.laserfiche.models import SearchRequest
from export_pipeline.vendors.laserfiche.options import LaserficheAccount, LaserficheOptions
from export_pipeline.vendors.laserfiche.slot import open_slot
from export_pipeline.vendors.vendor import Registration

NEWEST_FIRST = "lastModifiedTime desc"
NO_DATE = datetime.fromtimestamp(0, UTC)
"""Up to it a date is none: .NET writes the first moment of the year 1 where there is no date."""
SEARCH_MARGIN = timedelta(days=1)
"""Searches know whole days, of a time zone that no document names."""
SEARCH_QUESTIONS = 10
"""Ours: each is held for a minute while the search goes on."""
SEARCH_HOLD_SECONDS = SEARCH_QUESTIONS * (HOLD_SECONDS + TURN_SECONDS)
"""How long the account's one operation stays taken, should the process die that searches."""
SEARCH_WAIT_SECONDS = 300
"""Ours: longer than an order, of which many wait for their turn at the same time."""


@dataclass(frozen=True)
class Source:
    """Where documents are looked for: exactly one of the two."""

    folder: int | None = None
    search: str | None = None

    @property
    def name(self) -> str:
        """What its cursor belongs to: changed, it is another source and looked at anew."""
        return f"search {self.search}" if self.folder is None else f"folder {self.folder}"


def sources(account: LaserficheAccount) -> list[Source]:
    """Where an account's documents are looked for."""
    folder = [Source(folder=account.folder)] if account.folder is not None else []
    search = [Source(search=account.search)] if account.search is not None else []
    return folder + search


class Cursor(BaseModel):
    """How far a source was looked at.

    Args:
        modified: the newest modification known, by the vendor's clock; None before any.
        swept_at: when everything was looked at last, seconds since the epoch; None if never.
    """

    model_config = ConfigDict(frozen=True)

    modified: datetime | None = None
    swept_at: float | None = None

    def since(self, options: LaserficheOptions, now: float) -> datetime | None:
        """Back to when a look at `now` goes; None for all the way."""
        is_due = self.swept_at is None or now - self.swept_at >= options.sweep_seconds
        if is_due or self.modified is None:
            return None
        # Nothing can have been changed later: whatever says so was written by a wrong clock.
        known = min(self.modified, datetime.fromtimestamp(now, UTC))
        return known - timedelta(seconds=options.overlap_seconds)

    def past(self, entry: Entry) -> "Cursor":
        """This cursor once the entry is known."""
        told = entry.last_modified_time
        is_newer = told is not None and told > (self.modified or NO_DATE)
        return self.model_copy(update={"modified": told}) if is_newer else self


class Look:
    """One look at a source.

    Args:
        client: the account's API.
        source: where to look.
        cursor: where the look before ended; `cursor` is where this one does, to be kept once every
            page was read.
        options: overlap and sweep.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        client: LaserficheClient,
        source: Source,
        cursor: Cursor,
        options: LaserficheOptions,
        now: float,
    ) -> None:
        self.since = cursor.since(options, now)
        self.cursor = cursor
        if self.since is None:
            self.cursor = cursor.model_copy(update={"swept_at": now})
        self._api = client.api
        self._slot = open_slot(
            client.api.account, client.api.channel, SEARCH_HOLD_SECONDS, SEARCH_WAIT_SECONDS
        )
        self._client = client
        self._source = source

    async def pages(self) -> AsyncGenerator[list[Registration], None]:
        """The documents found, page by page.

        Raises:
            VendorError: the search failed, or a page could not be read.
            TurnMissed: the account's one long operation did not end in time.
        """
        found = self._search() if self._source.folder is None else self._folder()
        async with aclosing(found) as pages:
            async for page in pages:
                for entry in page.value:
                    self.cursor = self.cursor.past(entry)
                documents = [entry for entry in page.value if entry.entry_type == DOCUMENT]
                yield [
                    Registration(str(one.id), ScanDetails(entry=one.facts).to_json())
                    for one in documents
                ]

    async def _folder(self) -> AsyncGenerator[EntryPage, None]:
        folder = self._source.folder
        call = self._call(f"the look into folder {folder}", "FOLDER")
        query = urlencode({"$orderby": NEWEST_FIRST})
        url = f"{self._api.repository_url}/Entries/{folder}/Folder/Children?{query}"
        last, is_in_order = datetime.max.replace(tzinfo=UTC), True
        async for page in self._api.pages(call, EntryPage, url):
            yield page
            for told in [one.last_modified_time for one in page.value if one.last_modified_time]:
                is_in_order = is_in_order and told <= last
                last = told
            if self.since is not None and is_in_order and last < self.since:
                return

    async def _search(self) -> AsyncGenerator[EntryPage, None]:
        call = self._call("the search", "SEARCH")
        owner = f"search/{token_hex(8)}"
        async with AsyncExitStack() as after:
            if self._slot is not None:
                await self._slot.take(owner)
                after.push_async_callback(self._slot.free, owner)
            search, token = await self._begin(call)
            # It stays open else, and an account may have but two open searches (FACTS 2.8).
            after.push_async_callback(self._client.forget, search, token)
            await self._finish(search, token)
            if self._slot is not None:
                # It is over: whoever waits need not wait until all that it found is read.
                await self._slot.free(owner)
            url = f"{self._api.repository_url}/Searches/{quote(search, safe='')}/Results"
            async for page in self._api.pages(call, EntryPage, url, token):
                yield page

    def _call(self, doing: str, suffix: str) -> Call:
        """A call that only a wrong source makes a wrong one."""
        todo = f"correct {self._api.account.variable(suffix)}"
        call = self._api.call(doing)
        return replace(call, advice={**call.advice, ScanGone: todo, OrderRefused: todo})

    async def _begin(self, call: Call) -> tuple[str, str]:
        """A search's task, and the token to which it belongs."""
        body = SearchRequest(search_command=search_command(self._source.search or "", self.since))
        request = Request("POST", f"{self._api.repository_url}/Searches/SearchAsync", body)
        answered = await self._api.send(call, request, [self._api.calls])
        return self._api.read(call, StartedTask, answered.answer).task_id, answered.token

    async def _finish(self, search: str, token: str) -> None:
        call = self._api.call("the search")
        for _ in range(SEARCH_QUESTIONS):
            for task in await self._client.tasks([search], token):
                ended = completion_of(task)
                if ended is not None and ended.failure:
                    raise call.error(VendorError, f"it failed: {ended.failure}")
                if ended is not None:
                    return
        raise call.error(VendorUnavailable, "it did not end in time; narrow the search command")


async def discover(
    client: LaserficheClient,
    source: Source,
    options: LaserficheOptions,
    ledger: Ledger,
    secret: str | None,
) -> Registered:
    """Look at a source once and register what is found.

    The cursor moves only once all is registered: what a look that fails found is found again.

    Args:
        secret: the key of the tombstones, by which forgotten scans are left out.

    Raises:
        VendorError: the search failed, or a page could not be read.
        TurnMissed: the account's one long operation did not end in time.
    """
    account = client.api.account.name
    name = f"{VENDOR}/{account}/{source.name}"

    def begin(tx: Tx) -> Look:
        cursor = Cursor.model_validate(cursors.load(tx, name) or {})
        return Look(client, source, cursor, options, tx.now)

    look = await ledger.look(begin)
    found = Registered()
    async with aclosing(look.pages()) as pages:
        async for page in pages:
            scans = [
                NewScan(ScanKey(VENDOR, account, one.scan), one.details, one.expires_at)
                for one in page
            ]
            told = await ledger.apply(register_many, scans, source="discovery", secret=secret)
            found = Registered(*map(add, astuple(found), astuple(told)))
    await ledger.apply(cursors.save, name, look.cursor.model_dump(mode="json"))
    return found


def search_command(command: str, since: datetime | None) -> str:
    """The command that finds what `command` does and was modified since (FACTS 2.7)."""
    if since is None:
        return command
    return f'({command}) & {{LF:Modified>="{since - SEARCH_MARGIN:%Y-%m-%d}"}}'
