"""The errors of CloudConvert: a message, a code, and the fields that are wrong (FACTS 4.6)."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.routing import ApiError

Errors = Mapping[str, Sequence[str]]


class MessageError(ApiError):
    """`{"message", "code", "errors"?}`; `errors` has the texts of each wrong field."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        errors: Errors | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors
        self.headers = headers

    def response(self) -> Response:
        """The error on the wire."""
        body: dict[str, Any] = {"message": self.message, "code": self.code}
        if self.errors is not None:
            body["errors"] = self.errors
        return JSONResponse(body, self.status, headers=self.headers)


class InvalidData(MessageError):
    """Fields that cannot be used; whether that is a 422 or a 400 is the vendor's option."""

    def __init__(self, errors: Errors) -> None:
        super().__init__(422, "INVALID_DATA", "The given data was invalid.", errors=errors)


def unauthorized() -> MessageError:
    """No key, or an unknown one."""
    return MessageError(401, "UNAUTHENTICATED", "Unauthenticated.")


def forbidden() -> MessageError:
    """A key without the scope that the call needs."""
    return MessageError(403, "FORBIDDEN", "Invalid scope(s) provided.")


def not_found() -> MessageError:
    """Nothing there, or no longer."""
    return MessageError(404, "NOT_FOUND", "The requested resource was not found.")


def credits_exceeded() -> MessageError:
    """The 402 that only paying ends."""
    message = "Your account has run out of conversion minutes"
    return MessageError(402, "CREDITS_EXCEEDED", message)


def too_many_jobs() -> MessageError:
    """The 402 that waiting ends; its code is not known."""
    return MessageError(402, "TOO_MANY_JOBS", "You have started too many jobs at once")


def too_many(headers: Mapping[str, str]) -> MessageError:
    """The limit."""
    return MessageError(429, "TOO_MANY_REQUESTS", "Too Many Attempts.", headers=headers)
