"""What Swift and Keystone answer, in words: which error it is, and what to do about it."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus

from export_pipeline.errors import (
    AccessDenied,
    AlreadyExists,
    NotFound,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from export_pipeline.storage.http import Answer
from export_pipeline.storage.retries import Busy, patient

Reason = tuple[type[StoreError], str]

_BUSY = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    498,  # too many requests (Swift: "Rate limiting")
    499,  # what came of the body was not all of it
}
_NO_CONTAINER = (
    "there is no such container: make it, or set EXPORT_STORAGE_URL, EXPORT_SWIFT_TENANT_NAME or"
    " EXPORT_SWIFT_REGION right"
)
_DENIED = "access denied: give the user a role in the project that may use Swift, or name it in the"
_KNOWN: Mapping[int, Reason] = {
    HTTPStatus.UNAUTHORIZED: (AccessDenied, "the token that Keystone gave is not accepted"),
    HTTPStatus.FORBIDDEN: (AccessDenied, f"{_DENIED} container's X-Container-Write"),
    HTTPStatus.NOT_FOUND: (NotFound, "there is no such object"),
    HTTPStatus.PRECONDITION_FAILED: (
        AlreadyExists,
        "there is an object already; it was left as it is",
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: (StoreUnavailable, "other bytes arrived than were sent"),
}
_KNOWN_OF: Mapping[tuple[str, int], Reason] = {
    ("PUT", HTTPStatus.NOT_FOUND): (StoreError, _NO_CONTAINER),
    ("LIST", HTTPStatus.NOT_FOUND): (StoreError, _NO_CONTAINER),
    ("COPY", HTTPStatus.PRECONDITION_FAILED): (
        StoreError,
        "what is copied was replaced by another object meanwhile",
    ),
    ("GET", HTTPStatus.CONFLICT): (StoreError, "its segments are not what they were any more"),
    **{
        (action, HTTPStatus.FORBIDDEN): (AccessDenied, f"{_DENIED} container's X-Container-Read")
        for action in ("GET", "HEAD", "LIST")
    },
}
_TAG = re.compile(r"<[^>]*>")
_TOLD_CHARACTERS = 200


def explain(answer: Answer, place: str, action: str, name: str) -> StoreError:
    """Return the error that this answer of Swift's is.

    Args:
        answer: anything but a success.
        place: the container and where it is, for people.
        action: what was asked: PUT, COPY, GET, HEAD, DELETE or LIST.
        name: of the object, with the store's prefix.
    """
    known = _KNOWN_OF.get((action, answer.status)) or _KNOWN.get(answer.status)
    kind, words = known or _failed(answer)
    if known and kind not in {AlreadyExists, NotFound}:
        words = f"{words}: {_told(answer)}"
    return patient(kind(f"{action} of {name!r} in {place}: {words}"), answer)


def explain_login(answer: Answer, auth_url: str) -> StoreError:
    """Return the error that this answer of Keystone's is.

    Args:
        answer: to a login, anything but a token.
        auth_url: Keystone's address.
    """
    kind, told = _failed(answer)
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return AccessDenied(
            f"{auth_url} refuses the login: check EXPORT_SWIFT_USERNAME, EXPORT_SWIFT_PASSWORD,"
            " EXPORT_SWIFT_USER_DOMAIN, and that the user has a role in the project of"
            f" EXPORT_SWIFT_TENANT_NAME: {told}"
        )
    if kind is StoreError:
        return StoreError(f"{auth_url} is no Keystone v3: check EXPORT_SWIFT_AUTH_URL: {told}")
    return patient(kind(f"the login at {auth_url} failed: {told}"), answer)


def _failed(answer: Answer) -> Reason:
    told = _told(answer)
    is_over = answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and "quota" in told
    if is_over or answer.status == HTTPStatus.INSUFFICIENT_STORAGE:
        return StoreFull, f"there is no room left: {told}"
    if answer.status in _BUSY or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Busy, told
    return StoreError, told


def _told(answer: Answer) -> str:
    request_id = answer.headers.get("x-openstack-request-id", "none")
    words = _message(answer.body.decode(errors="replace")) or "no reason given"
    return f"HTTP {answer.status}: {words} (request id {request_id})"


def _message(body: str) -> str:
    """Read Keystone's JSON, Swift's HTML or plain text."""
    try:
        message = str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = _TAG.sub(" ", body)
    return " ".join(message.split())[:_TOLD_CHARACTERS]
