"""The error envelope of HookBridge (seed 002, FACTS 3.3)."""

from collections.abc import Mapping

from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.plain import BareError
from export_pipeline.sandbox.routing import ApiError


def request_name(request_id: str) -> str:
    """A request's id as this vendor writes it, e.g. `req_0000000000000007`."""
    return f"req_{request_id.split('-')[2]}"


class EnvelopeError(ApiError):
    """`{"error": {"code", "message"}, "meta": {"request_id"}}`."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers

    def response(self) -> Response:
        """The envelope on the wire."""
        body = {
            "error": {"code": self.code, "message": self.message},
            "meta": {"request_id": request_name(self.request_id)},
        }
        return JSONResponse(body, self.status, headers=self.headers)


def invalid(message: str) -> EnvelopeError:
    """A request that cannot be used as it is."""
    return EnvelopeError(400, "INVALID_REQUEST", message)


def not_found() -> EnvelopeError:
    """Nothing there; the documents' sample says "Message" of exports too."""
    return EnvelopeError(404, "NOT_FOUND", "Message not found")


def unauthorized() -> EnvelopeError:
    """No key, or an unknown one."""
    return EnvelopeError(401, "UNAUTHORIZED", "Invalid or missing API key")


def too_many(retry_after: int | None) -> EnvelopeError:
    """The limit, with `Retry-After` in seconds if one is given."""
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return EnvelopeError(429, "RATE_LIMIT_EXCEEDED", "Rate limit exceeded", headers)


def store_error(status: int, code: str, message: str) -> BareError:
    """S3's own error, since links lead there."""
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
    return BareError(status, f"{text}<Message>{message}</Message></Error>", "application/xml")
