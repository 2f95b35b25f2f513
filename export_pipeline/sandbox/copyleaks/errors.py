"""The three error shapes of Copyleaks (FACTS 1.8): envelope, ProblemDetails, bare text."""

from collections.abc import Sequence

from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.routing import ApiError

# FACTS 1.8 gives 1 for missing_parameter; the other numbers are not documented.
CODES = {
    "missing_parameter": 1,
    "invalid_parameter": 2,
    "invalid_credentials": 3,
    "not_found": 4,
    "conflict": 5,
    "too_many_requests": 6,
}

REASONS = {
    401: ("Unauthorized", "15.5.2"),
    404: ("Not Found", "15.5.5"),
    415: ("Unsupported Media Type", "15.5.16"),
}


class EnvelopeError(ApiError):
    """The documented `{"error": {...}}`; `details` are pairs of parameter and message."""

    def __init__(
        self,
        status: int,
        kind: str,
        error_id: str,
        message: str,
        *,
        details: Sequence[tuple[str, str]] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.error = {
            "type": kind,
            "id": error_id,
            "code": CODES[error_id],
            "message": message,
            "details": [{"param": param, "message": text} for param, text in details],
        }

    def response(self) -> Response:
        """The envelope on the wire."""
        return JSONResponse({"error": self.error}, self.status, headers=self.headers)


class ProblemError(ApiError):
    """ProblemDetails with a `traceId`: the web framework's answer, not the vendor's own code's."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status

    def response(self) -> Response:
        """The problem on the wire."""
        title, section = REASONS[self.status]
        body = {
            "type": f"https://tools.ietf.org/html/rfc9110#section-{section}",
            "title": title,
            "status": self.status,
            "traceId": self.request_id,
        }
        return JSONResponse(body, self.status, media_type="application/problem+json")


def invalid(details: Sequence[tuple[str, str]], *, missing: bool = False) -> EnvelopeError:
    """A 400 for parameters; the message is the first detail's."""
    error_id = "missing_parameter" if missing else "invalid_parameter"
    return EnvelopeError(400, "invalid_request_error", error_id, details[0][1], details=details)


def too_many(wait_seconds: int | None) -> EnvelopeError:
    """A 429, with Retry-After when the seconds are given."""
    headers = None if wait_seconds is None else {"Retry-After": str(wait_seconds)}
    message = "Too many requests. Slow down."
    return EnvelopeError(429, "api_error", "too_many_requests", message, headers=headers)
