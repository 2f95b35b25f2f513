"""CloudConvert's API for one account: jobs and tasks, one or many, made and deleted."""

from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from export_pipeline.errors import (
    OrderRefused,
    ScanGone,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.validation import in_words
from export_pipeline.vendors.cloudconvert.api import CloudConvertApi
from export_pipeline.vendors.cloudconvert.models import (
    EXPORT_URL,
    Job,
    JobAnswer,
    Page,
    Task,
    TaskAnswer,
    place_of,
)
from export_pipeline.vendors.http import Call, classify, send
from export_pipeline.vendors.keyed import Claimed, Payload

PER_PAGE = 100
"""FACTS 4.3 shows that many."""
TAKING_SECONDS = 60.0
"""From the last byte of an upload to its answer: what lies in buffers has to go out as well."""


class Shown(NamedTuple):
    """A job as the vendor showed it, with the id of that request."""

    job: Job
    request_id: str | None


class CloudConvertClient(CloudConvertApi):
    """The calls of one account."""

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
            for job in (self.listed(call, Job, one) for one in page):
                # Also checked here: a filter that was not understood must not match all.
                if job.tag == tag and (newest is None or _age(job) > _age(newest.job)):
                    newest = Shown(job, request_id)
        if newest is not None and not newest.job.tasks:  # lists may leave the tasks out
            return await self.job(call, newest.job.id)
        return newest

    def listed(self, call: Call, model: type[Payload], told: dict[str, Any]) -> Payload:
        """One of those that a page shows.

        Raises:
            VendorUnavailable: it is not what the vendor documents.
        """
        try:
            return model.model_validate(told)
        except ValidationError as error:
            reason = in_words(error)
        what = f"{told.get('id')!r:.60} is listed and not as documented ({reason})"
        raise call.error(VendorUnavailable, what)

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

        It may take as long as it goes on; see `send`.

        Raises:
            VendorUnavailable: it was not taken, also where another process brought it already or
                the form ended: the job itself tells which.
        """
        answer = await send(
            self._channel.http(),
            call,
            "POST",
            url,
            headers=headers,
            content=content,
            hold_seconds=TAKING_SECONDS,
        )
        if not answer.is_success:
            said = self._refusal(answer).said
            raise self._channel.failure(call, answer, said, VendorUnavailable)


def _part(name: str) -> str:
    return quote(name, safe="")


def _age(job: Job) -> float:
    return job.created_at.timestamp() if job.created_at else 0.0
