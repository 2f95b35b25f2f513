"""A real HTTP transport in which a test plans answers that the sandbox never gives."""

from collections import deque
from collections.abc import Callable

import httpx

Planned = Callable[[httpx.Request], httpx.Response]


class Interposed(httpx.AsyncBaseTransport):
    """Answers logins and other calls from what is planned for them, else asks the network."""

    def __init__(
        self, calls: deque[Planned], *, logins: deque[Planned] | None = None, login_path: str = ""
    ) -> None:
        self._login_path = login_path
        self._logins = logins
        self._calls = calls
        self._network = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        is_login = self._logins is not None and self._login_path in request.url.path
        planned = self._logins if is_login else self._calls
        if planned:
            return planned.popleft()(request)
        return await self._network.handle_async_request(request)

    async def aclose(self) -> None:
        await self._network.aclose()


def answer(status: int, *, headers: dict[str, str] | None = None, text: str = "") -> Planned:
    return lambda _request: httpx.Response(status, headers=headers, text=text)


def breaking(error: type[httpx.RequestError], text: str = "") -> Planned:
    def plan(request: httpx.Request) -> httpx.Response:
        raise error(text, request=request)

    return plan


def echoes(status: int) -> list[Planned]:
    """Answers of a vendor that repeats whatever it was sent: as text, as JSON, as headers."""

    def sent(request: httpx.Request) -> str:
        headers = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
        return f"{request.content.decode()}\n{headers}\n{request.url}"

    def as_text(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text=sent(request))

    def as_envelope(request: httpx.Request) -> httpx.Response:
        details = [{"param": sent(request), "message": sent(request)}]
        return httpx.Response(
            status, json={"error": {"id": "bad", "message": sent(request), "details": details}}
        )

    def as_problem(request: httpx.Request) -> httpx.Response:
        authorization = request.headers.get("Authorization", "none")
        problem = {"title": "Bad", "detail": sent(request), "traceId": authorization}
        return httpx.Response(status, json=problem)

    def as_headers(request: httpx.Request) -> httpx.Response:
        secret = request.headers.get("Authorization", "none")
        headers = {"X-Request-Id": secret, "Retry-After": secret, "Location": f"http://x/?{secret}"}
        return httpx.Response(status, headers=headers)

    return [as_text, as_envelope, as_problem, as_headers]
