"""CloudConvert's API for one account: jobs and tasks, one or many, made and deleted."""

from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from export_pipeline.errors import (
    AuthenticationFailed,
    OrderRefused,
    RateLimited,
    ScanGone,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.ledger.quotas import Quota
from export_pipeline.vendors.channel import Channel
from export_pipeline.vendors.cloudconvert.models import (
    CREDITS_EXCEEDED,
    EXPORT_URL,
    Job,
    JobAnswer,
    Page,
    Task,
    TaskAnswer,
    place_of,
    read_error,
)
from export_pipeline.vendors.cloudconvert.options import (
    PREFIX,
    CloudConvertAccount,
    CloudConvertOptions,
)
from export_pipeline.vendors.http import Answer, Call, classify, send
from export_pipeline.vendors.keyed import Claimed, KeyedClient, Payload, Refusal
from export_pipeline.vendors.options import infix
from export_pipeline.vendors.payloads import problems

VENDOR = "cloudconvert"
PER_PAGE = 100
"""FACTS 4.3 shows that many."""
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


class Shown(NamedTuple):
    """A job as the vendor showed it, with the id of that request."""

    job: Job
    request_id: str | None


def request_quotas(options: CloudConvertOptions) -> Sequence[Quota]:
    """The limit on all calls of an account; the vendor publishes none (FACTS 4.6)."""
    return (Quota("requests per minute", options.requests_per_minute, 60),)


class CloudConvertClient(KeyedClient):
    """The calls of one account."""

    def __init__(
        self,
        account: CloudConvertAccount,
        options: CloudConvertOptions,
        channel: Channel,
    ) -> None:
        super().__init__(account.key, request_quotas(options), channel, address=f"{PREFIX}API_URL")
        self.account = account
        self._api = f"{options.api_url.rstrip('/')}/v2"
        self._sync_api = f"{options.sync_url.rstrip('/')}/v2"

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

    async def job(self, call: Call, job_id: str, claimed: Claimed = None) -> Shown:
        """One job with its tasks.

        Raises:
            ScanGone: there is none.
            VendorError: see `_failure`.
        """
        answer = await self._call(call, "GET", f"/jobs/{_part(job_id)}", claimed)
        read = self._read(call, self._success(call, answer), JobAnswer)
        return Shown(read.data, answer.request_id)

    async def task(self, call: Call, task_id: str, claimed: Claimed = None) -> Task:
        """One task.

        Raises:
            ScanGone: there is none.
            VendorError: see `_failure`.
        """
        answer = await self._call(call, "GET", f"/tasks/{_part(task_id)}", claimed)
        return self._read(call, self._success(call, answer), TaskAnswer).data

    async def made(
        self,
        call: Call,
        made: str,
        *,
        missing: type[VendorError] = ScanGone,
        waits: bool = False,
    ) -> Job:
        """The job of an order, or its single task as one; the error is a `missing` if it is gone.

        Args:
            call: what it is part of.
            made: its id in the ledger, see `Job.of_task`.
            missing: see above.
            waits: for its end, at the host that does.

        Raises:
            VendorError: see `_failure`.
        """
        what, its_id, name = place_of(made)
        answer = await self._call(call, "GET", f"/{what}/{_part(its_id)}", waits=waits)
        answer = self._success(call, answer, missing)
        if what == "jobs":
            return self._read(call, answer, JobAnswer).data
        return Job.of_task(self._read(call, answer, TaskAnswer).data, name)

    async def pages(
        self,
        call: Call,
        what: str,
        claimed: Claimed = None,
        *,
        include: str = "",
        filters: Mapping[str, str] = MappingProxyType({}),
    ) -> AsyncGenerator[tuple[list[dict[str, Any]], str | None], None]:
        """Page after page of `jobs` or `tasks` as JSON, each with the id of its request.

        Args:
            call: what it is part of.
            what: is listed.
            claimed: see `Claimed`.
            include: what else is told of each; jobs may come without their tasks.
            filters: which are listed.

        Raises:
            VendorError: see `_failure`.
        """
        number, is_last = 1, False
        while not is_last:
            query = {f"filter[{name}]": value for name, value in filters.items()}
            query |= {"include": include} if include else {}
            query |= {"per_page": str(PER_PAGE), "page": str(number)}
            answer = await self._call(call, "GET", f"/{what}?{urlencode(query)}", claimed)
            page = self._read(call, self._success(call, answer), Page)
            yield page.data, answer.request_id
            number, claimed = number + 1, None
            # The link itself is not followed: it could lead off the API with the key.
            is_last = page.links.next is None or not page.data

    async def of_tag(self, call: Call, tag: str, claimed: Claimed = None) -> Shown | None:
        """The newest job of a tag with its tasks, None if there is none.

        Raises:
            VendorError: see `_failure`.
        """
        newest: Shown | None = None
        async for page, request_id in self.pages(
            call, "jobs", claimed, include="tasks", filters={"tag": tag}
        ):
            for job in self.listed(call, Job, page):
                # Also checked here: a filter that was not understood must not match all.
                if job.tag == tag and (newest is None or _age(job) > _age(newest.job)):
                    newest = Shown(job, request_id)
        if newest is not None and not newest.job.tasks:  # lists may leave the tasks out
            return await self.job(call, newest.job.id)
        return newest

    def listed(
        self, call: Call, model: type[Payload], page: Sequence[dict[str, Any]]
    ) -> list[Payload]:
        """What a page shows.

        Raises:
            VendorUnavailable: something on it is not what the vendor documents.
        """
        try:
            return [model.model_validate(one) for one in page]
        except ValidationError as error:
            reason = problems(error)
        raise call.error(VendorUnavailable, f"what is listed is not as documented ({reason})")

    async def create(self, call: Call, body: bytes, claimed: Claimed = None) -> Shown:
        """Have a job done.

        Raises:
            VendorError: see `_failure`.
            TurnMissed: nothing was sent.
        """
        answer = await self._call(call, "POST", "/jobs", claimed, body=body)
        read = self._read(call, self._success(call, answer), JobAnswer)
        return Shown(read.data, answer.request_id)

    async def create_task(
        self, call: Call, operation: str, body: bytes, name: str, claimed: Claimed = None
    ) -> Shown:
        """Have a single task done, by the endpoint of its operation; shown as a job, see `made`.

        Raises:
            VendorError: see `_failure`.
            TurnMissed: nothing was sent.
        """
        answer = await self._call(call, "POST", f"/{operation}", claimed, body=body)
        read = self._read(call, self._success(call, answer), TaskAnswer)
        return Shown(Job.of_task(read.data, name), answer.request_id)

    async def try_ordering(self, call: Call) -> None:
        """Ask for an export of nothing, which the vendor refuses from whoever may order (422).

        Raises:
            AuthenticationFailed: the key lacks the scope, or the account credits.
            VendorError: see `_failure`.
        """
        answer = await self._call(call, "POST", f"/{EXPORT_URL}", body=b"{}")
        if self._refusal(answer).kind is OrderRefused:
            return
        self._success(call, answer)
        self._read(call, answer, TaskAnswer)

    async def delete(self, call: Call, what: str, its_id: str) -> None:
        """Delete one of `jobs` or `tasks` with all its data; one that is gone already is fine.

        Raises:
            VendorError: see `_failure`.
        """
        answer = await self._call(call, "DELETE", f"/{what}/{_part(its_id)}")
        if classify(answer) is not ScanGone:
            self._success(call, answer)

    async def upload(
        self, call: Call, url: str, content: AsyncIterable[bytes], headers: Mapping[str, str]
    ) -> None:
        """Post a file to where an import waits for it; the key is not sent there.

        Raises:
            VendorError: see `_failure`.
        """
        http = self._channel.http()
        answer = await send(http, call, "POST", url, headers=headers, content=content)
        self._success(call, answer)

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


def _part(name: str) -> str:
    return quote(name, safe="")


def _age(job: Job) -> float:
    return job.created_at.timestamp() if job.created_at else 0.0
