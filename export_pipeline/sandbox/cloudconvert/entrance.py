"""Who is let in: the key, its scopes, the limit, and the faults that were planned."""

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.cloudconvert.errors import (
    InvalidData,
    forbidden,
    too_many,
    unauthorized,
)
from export_pipeline.sandbox.cloudconvert.faults import DROP, SLOW, SLOW_SECONDS, answer
from export_pipeline.sandbox.cloudconvert.options import Account, CloudConvertOptions
from export_pipeline.sandbox.faults import Faults
from export_pipeline.sandbox.limits import Limit, SlidingWindows
from export_pipeline.sandbox.routing import DropConnectionError, Handler

LIMIT_SECONDS = 60


@dataclass(frozen=True)
class Asked:
    """A call that was let in."""

    request: Request
    params: Mapping[str, str]
    account: int


Work = Callable[[Asked], Awaitable[Response]]


class Entrance:
    """Lets calls in, counts them, and maybe spoils them.

    Args:
        clock: by which the limit is held.
        faults: what was planned for calls.
        calls: counts them by operation.
        options: the vendor's options, as they are now.
    """

    def __init__(
        self,
        clock: Clock,
        faults: Faults,
        calls: Counter[str],
        options: Callable[[], CloudConvertOptions],
    ) -> None:
        self.windows = SlidingWindows(clock)
        self._clock = clock
        self._faults = faults
        self._calls = calls
        self._options = options

    def guard(self, operation: str, scope: str, work: Work) -> Handler:
        """The handler of an operation that needs this scope."""

        async def handle(request: Request, params: dict[str, str]) -> Response:
            self._calls[operation] += 1
            account = self._account(request, scope)
            headers = self._spend(account)
            fault = self._faults.take(operation)
            if refusal := answer(fault):
                raise refusal
            if fault == SLOW:
                await self._clock.sleep(SLOW_SECONDS)
            try:
                response = await work(Asked(request, params, account.id))
            except InvalidData as error:
                error.status = self._options().invalid
                raise
            if fault == DROP:
                raise DropConnectionError
            response.headers.update(headers)
            return response

        return handle

    def _account(self, request: Request, scope: str) -> Account:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        known = [one for one in self._options().accounts if one.key == key]
        if scheme.lower() != "bearer" or not known:
            raise unauthorized()
        if scope not in known[0].scopes:
            raise forbidden()
        return known[0]

    def _spend(self, account: Account) -> dict[str, str]:
        """The headers that tell how much of the limit is left (FACTS 4.6)."""
        options = self._options()
        calls = options.limits.requests_per_minute
        limit = Limit("requests_per_minute", calls, LIMIT_SECONDS)
        wait = self.windows.take(str(account.id), [limit])
        left = self.windows.left(str(account.id), limit)
        headers = {"X-RateLimit-Limit": str(calls), "X-RateLimit-Remaining": str(left)}
        if wait is None:
            return headers
        pause = {"Retry-After": str(math.ceil(wait))} if options.retry_after else {}
        raise too_many({**headers, **pause})
