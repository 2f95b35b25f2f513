from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from export_pipeline.storage.s3.signing import Keys, Signer, encode_path, encode_query

NOW = datetime(2026, 11, 21, 22, 0, 0, tzinfo=UTC)
KEYS = Keys("AKEXAMPLE", "a/secret+key")
SESSION_KEYS = Keys("AKEXAMPLE", "a/secret+key", "a//session+token==")
SHA256 = "a" * 64
URLS = [
    "https://bucket.s3.eu-west-1.amazonaws.com/scan/report.pdf",
    "http://127.0.0.1:8333/bucket/" + encode_path("a b/=2f;:'\"<>|+&~é/x"),
    "http://127.0.0.1:8333/bucket/?" + encode_query({"list-type": "2", "prefix": "a b/+é~"}),
    "http://127.0.0.1:8333/bucket/key?" + encode_query({"uploads": ""}),
]


@pytest.fixture(autouse=True)
def one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW.replace(tzinfo=None))


@pytest.mark.parametrize("keys", [KEYS, SESSION_KEYS])
@pytest.mark.parametrize("url", URLS)
def test_a_signed_header_is_that_of_botocore(url: str, keys: Keys) -> None:
    headers = {"if-none-match": "*", "x-amz-meta-a": "two  spaces", "content-type": "text/csv"}
    request = AWSRequest("PUT", url, headers={**headers, "x-amz-content-sha256": SHA256})
    request.context["payload_signing_enabled"] = True
    auth = botocore.auth.S3SigV4Auth(_theirs(keys), "s3", "eu-west-1")
    auth.payload = lambda _: SHA256
    auth.add_auth(request)
    ours = _signer().headers(keys, "PUT", url, headers, SHA256)
    assert ours["authorization"].replace(", ", ",") == request.headers["Authorization"].replace(
        ", ", ","
    )


@pytest.mark.parametrize("keys", [KEYS, SESSION_KEYS])
@pytest.mark.parametrize("url", URLS[:2])
def test_a_signed_url_is_that_of_botocore(url: str, keys: Keys) -> None:
    headers = {"if-none-match": "*", "x-amz-acl": "private"}
    request = AWSRequest("PUT", url, headers=dict(headers))
    botocore.auth.S3SigV4QueryAuth(_theirs(keys), "s3", "eu-west-1", expires=60).add_auth(request)
    ours = urlsplit(_signer().url(keys, "PUT", url, headers, 60))
    theirs = urlsplit(request.url)
    assert ours.path == theirs.path
    assert parse_qs(ours.query) == parse_qs(theirs.query)


def test_credentials_are_not_shown() -> None:
    assert "secret" not in repr(SESSION_KEYS)
    assert "token+" not in repr(SESSION_KEYS)


def _signer() -> Signer:
    return Signer("eu-west-1", NOW.timestamp)


def _theirs(keys: Keys) -> Credentials:
    return Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
