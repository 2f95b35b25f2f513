"""What S3 answers, in words: which error it is, and what to do about it."""

from collections.abc import Mapping
from http import HTTPStatus
from xml.etree import ElementTree as ET

from export_pipeline.errors import (
    AccessDenied,
    AlreadyExists,
    NotFound,
    StoreError,
    StoreFull,
)
from export_pipeline.storage.http import Answer
from export_pipeline.storage.retries import Busy, patient
from export_pipeline.storage.s3.place import Place
from export_pipeline.storage.xml import parse, text

_SESSION = "the session token has expired: renew it (EXPORT_S3_SESSION_TOKEN, or the role)"
_CREDENTIALS: Mapping[str, str] = {
    "InvalidAccessKeyId": "the access key id is unknown: check EXPORT_S3_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret does not fit the key: check EXPORT_S3_SECRET_ACCESS_KEY",
    "InvalidToken": "the session token is not valid: check EXPORT_S3_SESSION_TOKEN",
    "InvalidSecurity": "the credentials are not valid: check EXPORT_S3_ACCESS_KEY_ID",
    "ExpiredToken": _SESSION,
    "TokenRefreshRequired": _SESSION,
    "RequestTimeTooSkewed": "this machine's clock differs from the store's: set it right",
    "AccountProblem": "the account has a problem: ask Amazon's support",
}
_WRONG_REGION = {
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "IncorrectEndpoint",
    "PermanentRedirect",
    "TemporaryRedirect",
}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "ServiceQuotaExceeded"}
_TRANSIENT = {
    "BadDigest",  # our sha256 did not fit what arrived: the bytes changed on their way
    "ConditionalRequestConflict",
    "InternalError",
    "KMS.ThrottlingException",
    "OperationAborted",
    "RequestTimeout",
    "RequestTimeTooSlow",
    "ServiceUnavailable",
    "SlowDown",
    "XAmzContentSHA256Mismatch",
}
_LACKS_CREATE_ONLY = (
    "the store refuses `If-None-Match`, by which nothing is overwritten: set"
    " EXPORT_S3_CREATE_ONLY=false"
)
_NO_ACLS = "the bucket's owner owns every object: unset EXPORT_S3_ACL"
_NO_KMS = "the key does not encrypt or decrypt: check EXPORT_S3_KMS_KEY_ID"
_UNKNOWN = "the store does not know what an EXPORT_S3_ variable asks of it: unset that"
_PUT_AWAY = {"InvalidObjectState", "ObjectNotInActiveTierError"}
"""Of an object that a lifecycle rule moved to where it must be fetched back from."""
_LISTS = {"ListObjectsV2": "s3:ListBucket", "ListObjectVersions": "s3:ListBucketVersions"}
_SERVER_ERRORS = HTTPStatus.INTERNAL_SERVER_ERROR

Reason = tuple[type[StoreError], str]


def explain(answer: Answer, place: Place, action: str, key: str) -> StoreError:
    """Return the error that this answer is.

    Args:
        answer: anything but a success.
        place: the bucket.
        action: S3's name of what was asked, such as `PutObject`.
        key: of the object, with the store's prefix.
    """
    body = parse(answer.body)
    code = text(body, "Code")
    told = _told(answer, body, code)
    kind, words = (
        _wrongly_set_up(answer, body, code, place)
        or _unsuited(answer, code, told)
        or _refused(answer, code, action, f"{_grant(action, f'{place.bucket}/{key}')}: {told}")
        or _failed(answer, code, told)
    )
    where = f"{action} of {key!r} in bucket {place.bucket!r} at {place.url}"
    return patient(kind(f"{where}: {words}"), answer)


def _wrongly_set_up(
    answer: Answer, body: ET.Element | None, code: str, place: Place
) -> Reason | None:
    if code == "NoSuchBucket":
        return StoreError, "there is no such bucket: make it, or set EXPORT_STORAGE_URL right"
    if code in _CREDENTIALS:
        return AccessDenied, _CREDENTIALS[code]
    if _refuses_condition(answer, body):
        return StoreError, _LACKS_CREATE_ONLY
    is_redirect = HTTPStatus.MOVED_PERMANENTLY <= answer.status < HTTPStatus.BAD_REQUEST
    if code in _WRONG_REGION or is_redirect:
        region = answer.headers.get("x-amz-bucket-region") or text(body, "Region")
        there = f"in {region}: set EXPORT_S3_REGION={region}" if region else "elsewhere"
        return StoreError, f"the bucket is not in region {place.region} but {there}"
    return None


def _unsuited(answer: Answer, code: str, told: str) -> Reason | None:
    """Tell what an option of ours, or a rule of the bucket's, makes impossible."""
    if code in _PUT_AWAY:
        where = "it is in an archive storage class, such as Glacier"
        return StoreError, f"{where}: restore it to read it: {told}"
    if code == "AccessControlListNotSupported":
        return StoreError, f"{_NO_ACLS}: {told}"
    if code.startswith("KMS.") and not _is_busy(answer, code):
        return StoreError, f"{_NO_KMS}: {told}"
    if answer.status == HTTPStatus.NOT_IMPLEMENTED:
        return StoreError, f"{_UNKNOWN}: {told}"
    return None


def _refuses_condition(answer: Answer, body: ET.Element | None) -> bool:
    said = f"{text(body, 'Header')} {text(body, 'Message')}".lower()
    is_refused = answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_IMPLEMENTED}
    return is_refused and "if-none-match" in said


def _refused(answer: Answer, code: str, action: str, grant: str) -> Reason | None:
    if answer.status == HTTPStatus.PRECONDITION_FAILED and action == "UploadPartCopy":
        return StoreError, "what is copied was replaced by another object meanwhile"
    if answer.status == HTTPStatus.PRECONDITION_FAILED:
        return AlreadyExists, "there is an object already; it was left as it is"
    if answer.status == HTTPStatus.FORBIDDEN and code not in _FULL | _TRANSIENT:
        return AccessDenied, f"access denied: {grant}"
    if answer.status == HTTPStatus.NOT_FOUND:
        what = "upload any more" if code == "NoSuchUpload" else "object"
        return NotFound, f"there is no such {what}"
    return None


def _failed(answer: Answer, code: str, told: str) -> Reason:
    if code in _FULL or answer.status == HTTPStatus.INSUFFICIENT_STORAGE:
        return StoreFull, f"there is no room left: {told}"
    return (Busy if _is_busy(answer, code) else StoreError), told


def _is_busy(answer: Answer, code: str) -> bool:
    is_later = answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.status >= _SERVER_ERRORS
    return is_later or code in _TRANSIENT


def _told(answer: Answer, body: ET.Element | None, code: str) -> str:
    message = text(body, "Message") or "no reason given"
    request_id = answer.headers.get("x-amz-request-id", "none")
    return f"{code or 'HTTP'} {answer.status}: {message} (request id {request_id})"


def _grant(action: str, path: str) -> str:
    if action in _LISTS:
        return f"grant {_LISTS[action]} on arn:aws:s3:::{path.partition('/')[0]}"
    reading = "s3:GetObject, and s3:ListBucket so that absent objects are told apart"
    writing = (
        "s3:PutObject (s3:PutObjectAcl and s3:PutObjectTagging if set; kms:GenerateDataKey and"
        " kms:Decrypt with a KMS key)"
    )
    needed = {
        "GetObject": reading,
        "HeadObject": reading,
        "DeleteObject": "s3:DeleteObject",
        "DeleteObjectVersion": "s3:DeleteObjectVersion, unless object lock keeps it,",
        "AbortMultipartUpload": "s3:AbortMultipartUpload",
    }
    return f"grant {needed.get(action, writing)} on arn:aws:s3:::{path}"
