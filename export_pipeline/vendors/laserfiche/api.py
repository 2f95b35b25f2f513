"""Calls to Laserfiche's API for one account: paced, with its token, on its own origin only."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote, urljoin, urlsplit

from pydantic import BaseModel

from export_pipeline.errors import (
    AuthenticationFailed,
    OrderRefused,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.ledger.quotas import Quota
from export_pipeline.vendors.channel import Channel
from export_pipeline.vendors.http import Answer, Call
from export_pipeline.vendors.laserfiche import VENDOR
from export_pipeline.vendors.laserfiche.answers import Page, read_problem
from export_pipeline.vendors.laserfiche.login import LaserficheLogin
from export_pipeline.vendors.laserfiche.options import (
    PREFIX,
    LaserficheAccount,
    LaserficheOptions,
)
from export_pipeline.vendors.payloads import read_answer

CALLS_AT_ONCE = 10
"""Ours: an entry is read within the turn that is claimed for its export, so it must not wait."""
TOKEN_ENDED = (
    "its token ended before all was read; it is begun anew by itself: if that ends so again and"
    f" again, narrow the search, or raise {PREFIX}CALLS_PER_MINUTE where the server has no limit"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}

Model = TypeVar("Model", bound=BaseModel)
AnyPage = TypeVar("AnyPage", bound=Page)


def export_quota(options: LaserficheOptions) -> Quota:
    """The limit on exports, which are not counted among the other calls (FACTS 2.8)."""
    return Quota("exports per minute", options.exports_per_minute, 60)


def call_quota(options: LaserficheOptions) -> Quota:
    """The limit on all other calls."""
    return Quota("calls per minute", options.calls_per_minute, 60, burst=CALLS_AT_ONCE)


@dataclass(frozen=True)
class Request:
    """One request.

    Args:
        method: the HTTP method.
        url: whole.
        body: sent as JSON, what was set of it.
        hold_seconds: how long the vendor may work or hold its answer.
    """

    method: str
    url: str = field(repr=False)
    body: BaseModel | None = field(default=None, repr=False)
    hold_seconds: float = 0.0


@dataclass(frozen=True)
class Answered:
    """A successful answer, and the token with which it was got."""

    answer: Answer
    token: str = field(repr=False)


class Api:
    """Sends the requests of one account.

    Args:
        account: credentials and repository.
        options: limits.
        channel: how the vendor is reached.
    """

    def __init__(
        self, account: LaserficheAccount, options: LaserficheOptions, channel: Channel
    ) -> None:
        self.account = account
        self.calls = call_quota(options)
        self.channel = channel
        self.login = LaserficheLogin(account, self.calls, channel)
        self.repository_url = (
            f"{account.base_url}/v2/Repositories/{quote(account.repository, safe='')}"
        )

    def call(self, doing: str, scan: str | None = None) -> Call:
        """What the errors of a call tell."""
        advice: dict[type[VendorError], str] = {AuthenticationFailed: self.login.todo}
        return Call(VENDOR, self.account.name, doing, scan, self.login.secrets, advice=advice)

    async def send(
        self,
        call: Call,
        request: Request,
        quotas: Sequence[Quota],
        is_on_time: Callable[[], bool] | None = None,
        *,
        but: Collection[int] = (),
    ) -> Answered:
        """Send with the account's token; a refused token is renewed once.

        Args:
            call: what it is, for the errors.
            request: what is sent.
            quotas: what it uses.
            is_on_time: whether the caller's claim on them still holds, None without one; where it
                does not, they are claimed here.
            but: statuses that are answered as they are, beside success.

        Raises:
            VendorError: see `classify`; also a turn that is too far away.
        """
        token = await self.login.cached()
        if token is None:
            token = await self._fresh(call, quotas)
        elif is_on_time is None or not is_on_time():
            await self.channel.turn(call, quotas)
        answer = await self._exchange(call, request, token)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            token = await self._fresh(call, quotas, refused=token)
            answer = await self._exchange(call, request, token)
        self._require(call, answer, token, but)
        return Answered(answer, token)

    async def send_as(
        self,
        call: Call,
        request: Request,
        quotas: Sequence[Quota],
        token: str,
        *,
        but: Collection[int] = (),
    ) -> Answer | None:
        """Send with this token and no other; None if it ended. See `send`.

        Raises:
            VendorError: see `classify`.
        """
        await self.channel.turn(call, quotas)
        answer = await self._exchange(call, request, token)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            return None
        self._require(call, answer, token, but)
        return answer

    async def pages(
        self, call: Call, model: type[AnyPage], url: str, token: str | None = None
    ) -> AsyncIterator[AnyPage]:
        """Read a listing page by page, with the account's token or with this one.

        Raises:
            VendorError: see `classify`; also a next page that lies at another origin, or a token
                that ended.
        """
        next_url: str | None = url
        while next_url:
            request = Request("GET", next_url)
            if token is None:
                answer = (await self.send(call, request, [self.calls])).answer
            else:
                found = await self.send_as(call, request, [self.calls], token)
                if found is None:
                    raise call.error(VendorUnavailable, TOKEN_ENDED)
                answer = found
            page = self.read(call, model, answer)
            yield page
            next_url = self._next(call, next_url, page)

    def read(self, call: Call, model: type[Model], answer: Answer) -> Model:
        """Read a successful answer.

        Raises:
            VendorUnavailable: it is not what the vendor documents.
        """
        return read_answer(call, answer, model.model_validate_json, "the API's address")

    def failure(
        self, call: Call, answer: Answer, token: str, kind: type[VendorError] | None = None
    ) -> VendorError:
        """The error that an answer means; `kind` where the caller knows better."""
        if answer.status == HTTPStatus.LOCKED:
            # FACTS 2.2: somebody works on the entry, and will have done.
            kind = VendorUnavailable
        if answer.status == HTTPStatus.CONFLICT:
            # No id is ours, so it is no earlier send that is in the way.
            kind = OrderRefused
        known = replace(call, secrets=(*call.secrets, token))
        said = read_problem(answer.body).text
        return self.channel.failure(known, answer, said, kind)

    def _require(self, call: Call, answer: Answer, token: str, but: Collection[int]) -> None:
        is_expected = answer.status in but and not answer.is_page
        if not (answer.is_success or is_expected):
            raise self.failure(call, answer, token)

    async def _fresh(self, call: Call, quotas: Sequence[Quota], refused: str | None = None) -> str:
        token = await self.login.renew(call.scan, refused=refused)
        # A login takes seconds: used after it, the turn claimed before would crowd later ones.
        await self.channel.turn(call, quotas)
        return token

    async def _exchange(self, call: Call, request: Request, token: str) -> Answer:
        body = request.body and request.body.model_dump_json(by_alias=True, exclude_unset=True)
        return await self.channel.send(
            replace(call, secrets=(*call.secrets, token)),
            request.method,
            request.url,
            bearer=token,
            body=body.encode() if body else None,
            hold_seconds=request.hold_seconds,
        )

    def _next(self, call: Call, url: str, page: Page) -> str | None:
        if page.next_link is None:
            return None
        link = _joined(url, page.next_link)
        if origin(link) != origin(self.repository_url):
            raise call.error(
                VendorError,
                f"the next page lies at {urlsplit(link).hostname or 'no address'}, which is not the"
                " API's own origin, and is not followed: its token would go there",
            )
        if link == url:
            raise call.error(VendorError, "the next page is the same page: it is not read for ever")
        return link


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: to whom a request would go."""
    parts = urlsplit(url)
    try:
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        port = -1
    return parts.scheme, parts.hostname, port


def _joined(url: str, link: str) -> str:
    """Where a link leads from `url`; "" if it is no address."""
    try:
        return urljoin(url, link)
    except ValueError:
        return ""
