"""What Laserfiche is asked for one account: entries, exports, tasks, audit reasons."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from urllib.parse import urlencode

from export_pipeline.errors import (
    ConfigError,
    OrderInvalid,
    OrderRefused,
    ScanGone,
)
from export_pipeline.ledger.quotas import Quota
from export_pipeline.vendors.http import Call
from export_pipeline.vendors.laserfiche.answers import (
    AuditReason,
    AuditReasonPage,
    Entry,
    ExportAnswer,
    Repositories,
    Repository,
    StartedTask,
    Task,
    Tasks,
)
from export_pipeline.vendors.laserfiche.api import Answered, Api, Request, export_quota
from export_pipeline.vendors.laserfiche.models import INT32_MAX, ExportRequest
from export_pipeline.vendors.laserfiche.options import LaserficheOptions

HOLD_SECONDS = 60.0
"""Seed 001: a synchronous export works so long; FACTS 2.4: a question after tasks is held so."""
TASKS_PER_CALL = 100
"""Issue 4: with it 1,000 tasks are ten questions, and an address stays below 8 KB."""
QUESTIONS = Quota("questions per minute", 20, 60)
"""Ours: of the calls a minute, so that orders never wait for questions after others."""
GRANT = "grant the account the right to export this entry, then retry"
_ENTRY_ID = re.compile(r"[1-9]\d{0,9}", re.ASCII)

OnTime = Callable[[], bool]


@dataclass(frozen=True)
class ExportCall:
    """One export of one part of an entry.

    Args:
        scan: the entry's id.
        body: what is asked for.
        pages: the page range, None for all.
    """

    scan: str
    body: ExportRequest
    pages: str | None = None


@dataclass(frozen=True)
class Exported:
    """A synchronous export: whoever has the link has the file."""

    link: str = field(repr=False)
    request_id: str | None


@dataclass(frozen=True)
class Started:
    """A task, and the token to which it belongs."""

    task: str
    token: str = field(repr=False)
    request_id: str | None


class LaserficheClient:
    """The calls of one account. Every error keeps the vendor's request id."""

    def __init__(self, api: Api, options: LaserficheOptions) -> None:
        self.api = api
        self._exports = export_quota(options)

    async def entry(self, scan: str) -> Entry:
        """Read an entry.

        Raises:
            OrderInvalid: the scan's id is none that an entry can have.
            ScanGone: the repository has no such entry.
            VendorError: see `_of_entry`.
            ConfigError: the account does not see its repository.
        """
        call = self.api.call("the look at the entry", scan)
        request = Request("GET", f"{self.api.repository_url}/Entries/{_entry_id(call, scan)}")
        answered = await self._of_entry(call, request, [self.api.calls])
        return self.api.read(call, Entry, answered.answer)

    async def export(self, wanted: ExportCall, is_on_time: OnTime) -> Exported:
        """Export synchronously; the turn is claimed by the caller (seed 001).

        Raises:
            VendorUnavailable: a time-out among others: the document is too large for this call.
            VendorError: see `_of_entry`.
        """
        call = self.api.call("the export", wanted.scan)
        answered = await self._export(call, "Export", wanted, is_on_time, HOLD_SECONDS)
        link = self.api.read(call, ExportAnswer, answered.answer).value
        return Exported(link, answered.answer.request_id)

    async def start_export(self, wanted: ExportCall, is_on_time: OnTime | None) -> Started:
        """Begin to export asynchronously; with `is_on_time` the caller claimed the turn (seed 001).

        Raises:
            VendorError: see `_of_entry`.
        """
        call = self.api.call("the start of the export", wanted.scan)
        answered = await self._export(call, "ExportAsync", wanted, is_on_time)
        task = self.api.read(call, StartedTask, answered.answer).task_id
        return Started(task, answered.token, answered.answer.request_id)

    async def tasks(self, ids: Sequence[str], token: str | None) -> list[Task]:
        """Ask how tasks stand; the vendor holds its answer until one ends, a minute at most.

        Args:
            ids: at least one, at most `TASKS_PER_CALL`: without any the vendor would tell of all.
            token: the one that started them; where that ended, and for None, the account's own.

        Raises:
            ScanGone: the vendor does not know one of them.
            VendorError: see `classify`.
        """
        if not 0 < len(ids) <= TASKS_PER_CALL:
            raise ValueError(f"{len(ids)} tasks in one question: ask after 1 to {TASKS_PER_CALL}")
        call = self.api.call("the question after tasks")
        query = urlencode([("taskIds", one) for one in ids])
        url = f"{self.api.repository_url}/Tasks?{query}"
        request = Request("GET", url, hold_seconds=HOLD_SECONDS)
        # By itself: claimed together, all other calls would wait until the question's turn.
        await self.api.channel.turn(call, [QUESTIONS])
        answer = await self.api.send_as(call, request, [self.api.calls], token) if token else None
        if answer is None:
            answer = (await self.api.send(call, request, [self.api.calls])).answer
        return self.api.read(call, Tasks, answer).value

    async def forget(self, task: str, token: str) -> None:
        """Have the vendor end a task and forget it, if it has not done so by itself.

        Raises:
            VendorError: see `classify`.
        """
        # Without an id the vendor would cancel all tasks of the token (FACTS 2.4).
        if not task:
            raise ValueError("no task is named")
        call = self.api.call("the end of the task")
        url = f"{self.api.repository_url}/Tasks?{urlencode({'taskIds': task})}"
        # FACTS 2.4: one that ended cannot be cancelled; which status says so is not documented.
        over = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
        await self.api.send_as(call, Request("DELETE", url), [self.api.calls], token, but=over)

    async def audit_reasons(self) -> list[AuditReason]:
        """Every audit reason that the account may give.

        Raises:
            VendorError: see `classify`.
        """
        call = self.api.call("the list of audit reasons")
        pages = self.api.pages(call, AuditReasonPage, f"{self.api.repository_url}/AuditReasons")
        return [reason async for page in pages for reason in page.value]

    async def repositories(self) -> list[Repository]:
        """Every repository that the account may see.

        Raises:
            ConfigError: there is no API at the account's address.
            VendorError: see `classify`.
        """
        call = self.api.call("the list of repositories")
        account = self.api.account
        request = Request("GET", f"{account.base_url}/v2/Repositories")
        # No scan is gone: wherever the API is, it has this list.
        lacking = (HTTPStatus.NOT_FOUND,)
        answered = await self.api.send(call, request, [self.api.calls], but=lacking)
        if not answered.answer.is_success:
            raise ConfigError(
                f"{account.variable('URL')}: no Laserfiche API answers at {account.base_url}:"
                " correct it"
            )
        return self.api.read(call, Repositories, answered.answer).value

    async def require_repository(self) -> Repository:
        """The account's own repository.

        Raises:
            ConfigError: the account does not see it, or there is no API at its address.
            VendorError: see `classify`.
        """
        account = self.api.account
        seen = await self.repositories()
        found = next((one for one in seen if one.id == account.repository), None)
        if found is not None:
            return found
        names = ", ".join(one.id for one in seen) or "none"
        raise ConfigError(
            f"{account.variable('REPOSITORY')}: Laserfiche account {account.name!r} sees no"
            f" repository {account.repository!r}; it sees {names}: correct it, or grant the account"
            " access"
        )

    async def _export(
        self,
        call: Call,
        operation: str,
        wanted: ExportCall,
        is_on_time: OnTime | None,
        hold_seconds: float = 0.0,
    ) -> Answered:
        query = f"?{urlencode({'pageRange': wanted.pages})}" if wanted.pages else ""
        path = f"Entries/{_entry_id(call, wanted.scan)}/{operation}{query}"
        url = f"{self.api.repository_url}/{path}"
        request = Request("POST", url, wanted.body, hold_seconds)
        return await self._of_entry(call, request, [self._exports], is_on_time)

    async def _of_entry(
        self,
        call: Call,
        request: Request,
        quotas: Sequence[Quota],
        is_on_time: OnTime | None = None,
    ) -> Answered:
        """Send a call about one entry.

        A 403 and a 404 may be about the entry, or about the whole repository: whether that is
        there for the account tells which, so that one wrong setting does not expire every scan.

        Raises:
            ScanGone: the entry is not there.
            OrderRefused: the account has no right to it, or the vendor refuses the options.
            ConfigError: the account does not see its repository.
            VendorError: see `classify`.
        """
        doubtful = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
        answered = await self.api.send(call, request, quotas, is_on_time, but=doubtful)
        if answered.answer.is_success:
            return answered
        await self.require_repository()
        is_forbidden = answered.answer.status == HTTPStatus.FORBIDDEN
        kind = OrderRefused if is_forbidden else ScanGone
        advised = replace(call, advice={OrderRefused: GRANT})
        raise self.api.failure(advised, answered.answer, answered.token, kind)


def _entry_id(call: Call, scan: str) -> int:
    if is_entry_id(scan):
        return int(scan)
    raise call.error(
        OrderInvalid,
        f"not sent, an entry's id is a number from 1 to {INT32_MAX}, and {scan!r} is none: correct"
        " the scan's id where it was imported",
    )


def is_entry_id(text: str) -> bool:
    """Whether `text` is an entry's id, written as the vendor writes it."""
    return _ENTRY_ID.fullmatch(text) is not None and int(text) <= INT32_MAX
