"""ProblemDetails (RFC 9457) as Laserfiche writes them (FACTS 2.8)."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.routing import ApiError

MEDIA_TYPE = "application/problem+json"


class ProblemError(ApiError):
    """An error with its title; `more` are members beside the usual ones."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = headers
        self.more = more or {}

    @property
    def problem(self) -> dict[str, Any]:
        """It as a task tells of it."""
        told = {"type": f"https://tools.ietf.org/html/rfc9110#status-{self.status}"}
        detail = {"detail": self.detail} if self.detail else {}
        return {**told, "title": self.title, "status": self.status, **detail, **self.more}

    def response(self) -> Response:
        """The problem on the wire."""
        ids = {"traceId": self.request_id, "operationId": self.request_id.split("-")[1]}
        body = {**self.problem, **ids}
        return JSONResponse(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def invalid(detail: str) -> ProblemError:
    """A request that cannot be used as it is."""
    return ProblemError(400, "Invalid or bad request.", detail)


def unauthorized() -> ProblemError:
    """No token, or one that ended."""
    return ProblemError(401, "Access token is invalid or expired.")


def not_found(title: str = "Not found.") -> ProblemError:
    """Nothing there."""
    return ProblemError(404, title)


def too_many(title: str, retry_after: int | None) -> ProblemError:
    """A limit, with `Retry-After` in seconds if one is given."""
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return ProblemError(429, title, headers=headers)
