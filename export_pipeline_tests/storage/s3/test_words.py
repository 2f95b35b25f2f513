"""What Amazon answers and SeaweedFS does not (S3 API, "Error responses")."""

import pytest

from export_pipeline.errors import AccessDenied, StoreError, StoreUnavailable
from export_pipeline.storage.http import Answer
from export_pipeline.storage.s3.place import Place
from export_pipeline.storage.s3.words import explain

PLACE = Place("archive", "https://archive.s3.eu-west-1.amazonaws.com", "eu-west-1")


def explained(status: int, code: str, message: str, action: str = "PutObject") -> StoreError:
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    answer = Answer(status, {"x-amz-request-id": "ABC123"}, body)
    return explain(answer, PLACE, action, "p/a=2f..=2fb")


@pytest.mark.parametrize(
    ("status", "code", "message", "words"),
    [
        (
            400,
            "AccessControlListNotSupported",
            "The bucket does not allow ACLs",
            "the bucket's owner owns every object: unset EXPORT_S3_ACL",
        ),
        (
            400,
            "KMS.NotFoundException",
            "Key 'arn:aws:kms:eu-west-1:1:key/x' does not exist",
            "check EXPORT_S3_KMS_KEY_ID: .*key/x' does not exist",
        ),
        (
            501,
            "NotImplemented",
            "Header 'x-amz-tagging' with value 'a=b' not implemented",
            "the store does not know what an EXPORT_S3_ variable asks of it: .*x-amz-tagging",
        ),
    ],
)
def test_an_option_that_the_store_does_not_take_is_named_and_not_tried_again(
    status: int, code: str, message: str, words: str
) -> None:
    error = explained(status, code, message)
    assert type(error) is StoreError
    assert not isinstance(error, StoreUnavailable)
    with pytest.raises(StoreError, match=words) as told:
        raise error
    assert "request id ABC123" in str(told.value)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "KMS.ThrottlingException"),
        (429, "KMS.ThrottlingException"),
        (500, "KMS.KMSInternalException"),
        (503, "KMS.DependencyTimeoutException"),
    ],
)
def test_a_key_service_that_is_busy_or_fails_is_asked_again(status: int, code: str) -> None:
    assert isinstance(explained(status, code, "Rate exceeded"), StoreUnavailable)


@pytest.mark.parametrize("code", ["InvalidObjectState", "ObjectNotInActiveTierError"])
def test_an_object_that_a_lifecycle_rule_put_away_is_no_missing_permission(code: str) -> None:
    message = "The operation is not valid for the object's storage class"
    error = explained(403, code, message, "GetObject")
    assert type(error) is StoreError
    assert "in an archive storage class, such as Glacier: restore it to read it" in str(error)


def test_a_refusal_tells_the_stores_own_reason_and_the_request() -> None:
    """Amazon names who may not do what, and whether a policy of the bucket or a key forbids it."""
    message = (
        "User: arn:aws:sts::1:assumed-role/writer is not authorized to perform:"
        " kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:1:key/x"
    )
    error = explained(403, "AccessDenied", message)
    assert type(error) is AccessDenied
    assert "grant s3:PutObject" in str(error)
    assert f"AccessDenied 403: {message} (request id ABC123)" in str(error)


def test_what_was_signed_is_in_no_error() -> None:
    body = (
        b"<Error><Code>SignatureDoesNotMatch</Code><Message>It does not match</Message>"
        b"<StringToSign>AWS4-HMAC</StringToSign><SignatureProvided>abcdef</SignatureProvided>"
        b"</Error>"
    )
    error = explain(Answer(403, {}, body), PLACE, "GetObject", "a")
    assert "EXPORT_S3_SECRET_ACCESS_KEY" in str(error)
    assert not [part for part in ("AWS4-HMAC", "abcdef") if part in str(error)]
