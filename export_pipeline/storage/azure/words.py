"""What Azure answers, in words: which error it is, and what to do about it."""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from xml.etree import ElementTree as ET

from export_pipeline.errors import (
    AccessDenied,
    AlreadyExists,
    NotFound,
    StoreError,
    StoreFull,
)
from export_pipeline.storage.azure.credentials import Credentials, SasToken
from export_pipeline.storage.azure.place import Place
from export_pipeline.storage.http import Answer
from export_pipeline.storage.retries import Busy, patient
from export_pipeline.storage.xml import parse, text

MAX_SKEW_SECONDS = 15 * 60
"""How far a request's date may be off (Azure: "Authorize with Shared Key")."""
_KNOWN: Mapping[str, tuple[type[StoreError], str]] = {
    "ContainerNotFound": (
        StoreError,
        "there is no such container: make it, or set EXPORT_STORAGE_URL right",
    ),
    "ContainerBeingDeleted": (
        StoreError,
        "the container is being deleted: set EXPORT_STORAGE_URL to another one",
    ),
    "AccountIsDisabled": (AccessDenied, "the storage account is disabled: ask who administers it"),
    "KeyBasedAuthenticationNotPermitted": (
        AccessDenied,
        "the account takes no access keys: unset EXPORT_AZURE_ACCESS_KEY and use an identity",
    ),
    "AuthorizationProtocolMismatch": (
        AccessDenied,
        "EXPORT_AZURE_SAS_TOKEN allows HTTPS only: write https:// in EXPORT_AZURE_ENDPOINT",
    ),
    "AuthorizationResourceTypeMismatch": (
        AccessDenied,
        "EXPORT_AZURE_SAS_TOKEN is not for containers and objects both: make one with srt=co",
    ),
    "AuthorizationServiceMismatch": (
        AccessDenied,
        "EXPORT_AZURE_SAS_TOKEN is not for blobs: make one with ss=b",
    ),
    "BlobNotFound": (NotFound, "there is no such blob"),
    "InvalidBlockList": (NotFound, "its blocks are gone"),
    "BlobArchived": (StoreError, "it is in the archive tier: rehydrate it to read it"),
    "BlobBeingRehydrated": (StoreError, "it is coming back from the archive tier: wait for it"),
}
_TAKEN = {"BlobAlreadyExists", "BlobImmutableDueToPolicy", "UnauthorizedBlobOverwrite"}
_DELETING = {"DeleteBlob", "DeleteBlobVersion"}
_COPYING = {"CopyBlob", "PutBlockFromUrl"}
_TRANSIENT = {
    "Md5Mismatch",  # our MD5 did not fit what arrived: the bytes changed on their way
    "OperationTimedOut",
}
_REFUSALS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_PERMISSIONS = {
    "GetBlob": "r",
    "GetBlobProperties": "r",
    "ListBlobs": "l",
    "DeleteBlob": "d",
    "DeleteBlobVersion": "x",
}
_ROLES = {"GetUserDelegationKey": "Delegator on the account", "DeleteBlobVersion": "Data Owner"}
"""What the role Storage Blob Data Contributor lacks (Azure: "Blob versioning", permissions)."""

Reason = tuple[type[StoreError], str]


def explain(
    answer: Answer, place: Place, credentials: Credentials, action: str, name: str, now: float
) -> StoreError:
    """Return the error that this answer is.

    Args:
        answer: anything but a success.
        place: the container.
        credentials: with which it was asked.
        action: Azure's name of what was asked, such as `PutBlob`.
        name: of the blob, with the store's prefix.
        now: seconds since the epoch.
    """
    body = parse(answer.body)
    # The answer to a HEAD has no body.
    code = answer.headers.get("x-ms-error-code") or text(body, "Code")
    kind, words = (
        _conflicting(answer, code, action)
        or _KNOWN.get(code)
        or _refused(answer, code, action, credentials, now)
        or _failed(answer, body, code)
    )
    return patient(kind(f"{action} of {place.named(name)}: {words}"), answer)


def _conflicting(answer: Answer, code: str, action: str) -> Reason | None:
    if code == "BlobImmutableDueToPolicy" and action in _DELETING:
        return AccessDenied, "an immutability policy keeps it"
    is_changed = answer.status == HTTPStatus.PRECONDITION_FAILED
    if is_changed and action in _COPYING:
        return StoreError, "what is copied was replaced by another blob meanwhile"
    if is_changed or code in _TAKEN:
        return AlreadyExists, "there is a blob already; it was left as it is"
    return None


def _refused(
    answer: Answer, code: str, action: str, credentials: Credentials, now: float
) -> Reason | None:
    if answer.status not in _REFUSALS:
        return None
    skew = abs(_date(answer, now) - now)
    if code == "AuthenticationFailed" and skew > MAX_SKEW_SECONDS:
        return AccessDenied, f"this machine's clock is {skew:.0f} seconds off: set it right"
    if code == "AuthorizationPermissionMismatch":
        return AccessDenied, f"access denied: {_grant(action, credentials)}"
    advice = f"check {credentials.name}, and that the account's network rules let this machine in"
    return AccessDenied, f"access denied: {advice}: {_told(answer, code)}"


def _failed(answer: Answer, body: ET.Element | None, code: str) -> Reason:
    reason = text(body, "Message").partition("\n")[0] or "no reason given"
    words = f"{reason} {_told(answer, code)}"
    if answer.status == HTTPStatus.INSUFFICIENT_STORAGE:
        return StoreFull, f"there is no room left: {words}"
    is_busy = answer.status == HTTPStatus.TOO_MANY_REQUESTS
    if is_busy or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or code in _TRANSIENT:
        return Busy, words
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        return StoreError, f"it is elsewhere: set EXPORT_AZURE_ENDPOINT right: {words}"
    return StoreError, words


def _told(answer: Answer, code: str) -> str:
    request_id = answer.headers.get("x-ms-request-id", "none")
    return f"({code or 'HTTP'} {answer.status}, request id {request_id})"


def _grant(action: str, credentials: Credentials) -> str:
    if isinstance(credentials, SasToken):
        return f"give {credentials.name} the permission {_PERMISSIONS.get(action, 'c and w')}"
    role = _ROLES.get(action, "Data Contributor")
    return f"give {credentials.name} the role Storage Blob {role}"


def _date(answer: Answer, now: float) -> float:
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return now
