"""Who is let in: the token with its scope, the limits, and the faults that were planned."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from export_pipeline.sandbox.laserfiche.accounts import Token
from export_pipeline.sandbox.laserfiche.errors import ProblemError, not_found
from export_pipeline.sandbox.laserfiche.faults import DROP, answer
from export_pipeline.sandbox.laserfiche.laserfiche import Laserfiche
from export_pipeline.sandbox.limits import Limit
from export_pipeline.sandbox.routing import DropConnectionError, Handler

EXPORTS = ("export", "start")
"""Operations that have a limit of their own (FACTS 2.8)."""


@dataclass(frozen=True)
class Asked:
    """A call that was let in."""

    request: Request
    params: Mapping[str, str]
    token: Token
    fault: str

    @property
    def context(self) -> str:
        """What every OData answer begins with."""
        return f"$metadata#Repositories('{self.params.get('repository', '')}')"


Work = Callable[[Asked], Awaitable[Response]]


class Entrance:
    """Lets calls in, counts them, and maybe spoils them."""

    def __init__(self, vendor: Laserfiche) -> None:
        self._vendor = vendor

    def guard(self, operation: str, work: Work, *, scoped: bool = True) -> Handler:
        """The handler of an operation; with `scoped` it needs a token that may read."""

        async def handle(request: Request, params: dict[str, str]) -> Response:
            self._vendor.stats.calls[operation] += 1
            token = self._enter(request, params, operation, scoped=scoped)
            fault = self._vendor.faults.take(operation)
            if refusal := answer(fault):
                raise refusal
            response = await work(Asked(request, params, token, fault))
            if fault == DROP:
                raise DropConnectionError
            return response

        return handle

    def _enter(
        self, request: Request, params: Mapping[str, str], operation: str, *, scoped: bool
    ) -> Token:
        vendor = self._vendor
        token = vendor.accounts.of(request.headers.get("Authorization"))
        wait = vendor.windows.take(token.account, [self._limit(operation)])
        if wait is not None:
            raise vendor.limited("Rate limit is reached.", wait)
        if scoped and not token.may_read:
            raise ProblemError(403, "Access denied for the operation.", "The scope is missing.")
        known = vendor.options.repository
        if params.get("repository", known) != known:
            raise not_found("Repository is not found.")
        return token

    def _limit(self, operation: str) -> Limit:
        pace = self._vendor.options.limits
        if operation in EXPORTS:
            return Limit("exports_per_minute", pace.exports_per_minute, 60)
        return Limit("calls_per_minute", pace.calls_per_minute, 60)
