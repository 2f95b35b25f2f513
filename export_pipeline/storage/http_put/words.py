"""What a web server answers, in words: which error it is, and what to do about it."""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from export_pipeline.errors import (
    AccessDenied,
    AlreadyExists,
    NotFound,
    StoreError,
    StoreFull,
)
from export_pipeline.storage.http import Answer
from export_pipeline.storage.retries import Busy

Reason = tuple[type[StoreError], str]

_NO_FOLDER = (
    "the server makes no folders: let it (nginx: create_full_put_path on), or set"
    " EXPORT_STORAGE_URL to one that is there"
)
_NOT_DONE = (
    "the server does not do this there: allow PUT and DELETE (nginx: dav_methods PUT DELETE), or"
    " set EXPORT_STORAGE_URL right"
)
_NOT_LET_IN = (
    "the server does not let us in: check EXPORT_HTTP_USERNAME and EXPORT_HTTP_PASSWORD,"
    " EXPORT_HTTP_BEARER_TOKEN or EXPORT_HTTP_HEADERS, whichever is set"
)
_TOO_LARGE = "it is larger than the server takes: raise its limit (nginx: client_max_body_size)"
_REASONS: Mapping[int, Reason] = {
    HTTPStatus.UNAUTHORIZED: (AccessDenied, _NOT_LET_IN),
    HTTPStatus.FORBIDDEN: (AccessDenied, "access denied: grant it to the user that is set"),
    HTTPStatus.NOT_FOUND: (NotFound, "there is no such object"),
    HTTPStatus.GONE: (NotFound, "there is no such object"),
    HTTPStatus.METHOD_NOT_ALLOWED: (StoreError, _NOT_DONE),
    HTTPStatus.NOT_IMPLEMENTED: (StoreError, _NOT_DONE),
    HTTPStatus.PRECONDITION_FAILED: (AlreadyExists, "there is an object already; it was left"),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (StoreError, _TOO_LARGE),
    HTTPStatus.INSUFFICIENT_STORAGE: (StoreFull, "there is no room left: make some"),
}
_TRANSIENT = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.LOCKED,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}


def explain(answer: Answer, verb: str, url: str, now: float) -> StoreError:
    """Return the error that this answer is.

    Args:
        answer: anything but a success.
        verb: of the request.
        url: of the request; it holds no secret.
        now: seconds since the epoch.
    """
    what = f"{verb} {url}"
    if _is_transient(answer.status):
        busy = Busy(f"{what}: {_status(answer)}")
        busy.retry_after = retry_after(answer.headers.get("retry-after", ""), now)
        return busy
    kind, words = _reason(answer, verb, url)
    return kind(f"{what}: {words} ({_status(answer)})")


def retry_after(value: str, now: float) -> float:
    """Read the header: seconds, or a date (RFC 9110, 10.2.3); 0 if it is neither."""
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        # A date that says -0000 comes without a zone, and means UTC.
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0


def _reason(answer: Answer, verb: str, url: str) -> Reason:
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        return _redirected(answer.headers.get("location", ""), url)
    if verb == "PUT" and answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
        return StoreError, _NO_FOLDER
    return _REASONS.get(answer.status, (StoreError, "the server refuses it: look in its log"))


def _redirected(location: str, url: str) -> Reason:
    try:
        there = urlsplit(location)
    except ValueError:
        there = urlsplit("")
    if unquote(there.path) == unquote(urlsplit(url).path) + "/":
        return NotFound, "there is no such object, but a folder"
    return StoreError, (
        f"the server redirects to {there.hostname or 'another address'}, where no credential is"
        " sent: set EXPORT_STORAGE_URL to the address where it ends"
    )


def _is_transient(status: int) -> bool:
    lasting = status in {HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.INSUFFICIENT_STORAGE}
    return status in _TRANSIENT or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and not lasting)


def _status(answer: Answer) -> str:
    request_id = answer.headers.get("x-request-id")
    return f"HTTP {answer.status}" + (f", request id {request_id}" if request_id else "")
