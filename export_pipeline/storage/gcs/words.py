"""What Google answers, in words: which error it is, and what to do about it."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError

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

SESSION = "resumable upload"
"""The action of a call on an upload session, whose id in an answer is the right to write."""
_GRANTS = {
    "objects.insert": "storage.objects.create",
    "objects.get": "storage.objects.get, and storage.objects.list to tell absent objects apart",
    "objects.list": "storage.objects.list",
    "objects.rewrite": "storage.objects.create and storage.objects.get",
    "objects.delete": "storage.objects.delete",
}
_RATE_LIMITS = {"rateLimitExceeded", "userRateLimitExceeded"}
_OTHER_BYTES = "doesn't match calculated"
"""Told where our checksum does not fit what arrived: the bytes changed on their way."""
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_BUSY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_NO_CREDENTIALS = (
    "no Google credentials: set EXPORT_GCS_KEY or EXPORT_GCS_KEY_FILE, or give this machine a"
    " service account or GOOGLE_APPLICATION_CREDENTIALS"
)
_CHECK = "check EXPORT_GCS_KEY, or the credentials that the default chain finds"
_CLOCK = "this machine's clock differs from Google's: set it right"
_TOLD_CHARACTERS = 300

Reason = tuple[type[StoreError], str]


def explain(answer: Answer, place: str, action: str, name: str) -> StoreError:
    """Return the error that this answer is.

    Args:
        answer: anything but a success.
        place: the bucket, in words.
        action: the JSON API's name of what was asked, such as `objects.insert`, or `SESSION`.
        name: of the object, with the store's prefix.
    """
    error = _error(answer)
    told = _told(answer, error, show_id=action != SESSION)
    kind, words = (
        _refused(answer, action)
        or _denied(answer, _reason(error), action, told)
        or _failed(answer, _reason(error), told)
    )
    return patient(kind(f"{action} of {name!r} in {place}: {words}"), answer)


def explain_signing(answer: Answer, account: str) -> StoreError:
    """Return the error that this answer of IAM to `signBlob` is."""
    told = _told(answer, _error(answer), show_id=True)
    begin = f"IAM signs no URL as {account}"
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
        return AccessDenied(
            f"{begin}: {told}; enable the IAM Service Account Credentials API and grant"
            " iam.serviceAccounts.signBlob on that account (roles/iam.serviceAccountTokenCreator)"
        )
    return (StoreUnavailable if _is_transient(answer) else StoreError)(f"{begin}: {told}")


def explain_credentials(error: GoogleAuthError) -> StoreError:
    """Return the error that google-auth's is."""
    if isinstance(error, DefaultCredentialsError):
        return AccessDenied(f"{_NO_CREDENTIALS} ({_shortened(error)})")
    # A broken connection comes bare, or as the cause of a refresh that failed.
    for broken in (error, error.__cause__):
        if isinstance(broken, TransportError):
            return explain_silence("Google's token service", broken)
    told = _shortened(error)
    if error.retryable:
        return StoreUnavailable(f"Google's token service gave no token: {told}")
    # Google names the claims of the time where that is what it minds.
    return AccessDenied(f"Google gives no token: {told}; {_CLOCK if 'iat' in told else _CHECK}")


def explain_silence(service: str, error: TransportError) -> StoreError:
    """Return the error of a call that was not answered."""
    # Only what kind of error it is: its text may name an address with a secret in it.
    why = type(error.args[0] if error.args else error).__name__
    return StoreUnavailable(f"{service} gave no answer: {why}")


def parse(body: bytes) -> Mapping[str, Any]:
    """Read a JSON object; empty for anything else, such as the page of a proxy."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _error(answer: Answer) -> Mapping[str, Any]:
    error = parse(answer.body).get("error")
    return error if isinstance(error, dict) else {}


def _reason(error: Mapping[str, Any]) -> str:
    causes = [one for one in error.get("errors", ()) if isinstance(one, dict)]
    return str(causes[0].get("reason", "")) if causes else ""


def _told(answer: Answer, error: Mapping[str, Any], *, show_id: bool) -> str:
    message = str(error.get("message") or "no reason given")[:_TOLD_CHARACTERS]
    request_id = answer.headers.get("x-guploader-uploadid") if show_id else None
    named = f" (request id {request_id})" if request_id else ""
    return f"{_reason(error) or 'HTTP'} {answer.status}: {message}{named}"


def _refused(answer: Answer, action: str) -> Reason | None:
    if answer.status == HTTPStatus.PRECONDITION_FAILED:
        return AlreadyExists, "there is an object already; it was left as it is"
    if answer.status not in _GONE:
        return None
    if action in {"objects.insert", "objects.list"}:
        return StoreError, "no such bucket: make it, or correct EXPORT_STORAGE_URL"
    return NotFound, f"there is no such {'upload any more' if action == SESSION else 'object'}"


def _denied(answer: Answer, reason: str, action: str, told: str) -> Reason | None:
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return AccessDenied, f"the access token is not accepted: {told}; {_CHECK}"
    if answer.status == HTTPStatus.FORBIDDEN and reason in {"forbidden", ""}:
        grant = _GRANTS.get(action, _GRANTS["objects.insert"])
        return AccessDenied, (
            f"access denied: grant {grant} on the bucket (roles/storage.objectUser has all that is"
            f" needed): {told}"
        )
    return None


def _failed(answer: Answer, reason: str, told: str) -> Reason:
    if answer.status == HTTPStatus.INSUFFICIENT_STORAGE or reason == "quotaExceeded":
        return StoreFull, f"a quota is used up: {told}"
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        return StoreError, f"it redirects elsewhere, check EXPORT_GCS_ENDPOINT: {told}"
    is_transient = _is_transient(answer) or reason in _RATE_LIMITS or _OTHER_BYTES in told
    return (Busy if is_transient else StoreError), told


def _is_transient(answer: Answer) -> bool:
    return answer.status in _BUSY or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _shortened(error: GoogleAuthError) -> str:
    """Its words alone: what else it holds is the whole answer."""
    return str(error.args[0] if error.args else type(error).__name__)[:_TOLD_CHARACTERS]
