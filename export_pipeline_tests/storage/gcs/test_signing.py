"""Our signer beside google-cloud-storage's own, which passes Google's published V4 vectors.

The judge of the gate is held to it too: what one library signs, the gate must accept.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client
from google.cloud.storage._signing import generate_signed_url_v4
from google.oauth2 import service_account

from export_pipeline.storage.gcs.options import service_account_key
from export_pipeline.storage.gcs.signing import Signer, encode_path, signed_url
from export_pipeline_tests.servers.gcs_signatures import judge
from export_pipeline_tests.servers.google import ACCOUNT, Google

NOW = datetime(2026, 11, 21, 22, 3, 20, tzinfo=UTC)
ENDPOINT = "https://storage.googleapis.com"
PATHS = [
    "/bucket/scan/report.pdf",
    "/bucket/" + encode_path("a b/=2f;:'\"<>|+&~é[]#?*/x"),
]
HEADERS: list[dict[str, str]] = [
    {},
    {"x-goog-if-generation-match": "0"},
    {"content-type": "text/csv", "x-goog-meta-a": "two  spaces "},
]


@pytest.fixture(scope="module")
def google() -> Google:
    return Google(url="https://google.example")


@pytest.fixture(scope="module")
def credentials(google: Google) -> service_account.Credentials:
    key = service_account_key(google.key_file())
    return service_account.Credentials.from_service_account_info(key)


@pytest.mark.parametrize("verb", ["PUT", "GET"])
@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("path", PATHS)
def test_a_signed_url_is_that_of_google_cloud_storage(
    credentials: service_account.Credentials,
    google: Google,
    path: str,
    headers: dict[str, str],
    verb: str,
) -> None:
    theirs = generate_signed_url_v4(
        credentials,
        path,
        timedelta(seconds=90),
        method=verb,
        headers=dict(headers),
        _request_timestamp=NOW.strftime("%Y%m%dT%H%M%SZ"),
    )
    signer = Signer(ACCOUNT, credentials.sign_bytes)
    ours = signed_url(signer, verb, ENDPOINT + path, headers, seconds=90, now=NOW.timestamp() + 0.5)
    assert ours == theirs
    assert _refusal(theirs, verb, headers, google.public_keys) is None
    assert _refusal(theirs, "DELETE", headers, google.public_keys) is not None


@pytest.mark.parametrize("name", ["a b/=2f;:'\"<>|+&~é", "[x]#?*@$!(),%2F", "dots.../.x/-_~"])
def test_an_objects_name_is_encoded_as_google_cloud_storage_does(
    credentials: service_account.Credentials, name: str
) -> None:
    blob = Client("project", AnonymousCredentials()).bucket("bucket").blob(name)
    theirs = blob.generate_signed_url(90, version="v4", credentials=credentials)
    assert urlsplit(theirs).path == f"/bucket/{encode_path(name)}"


def test_a_signer_of_steps_signs_the_same_until_the_next_and_never_too_short() -> None:
    signed: list[bytes] = []
    signer = Signer(ACCOUNT, lambda text: signed.append(text) or b"", step_seconds=300)
    urls = [
        signed_url(signer, "PUT", f"{ENDPOINT}/b/o", {}, seconds=90.5, now=begin + second)
        for begin in (1_764_000_000, 1_764_000_300)
        for second in (0, 0.5, 299.9)
    ]
    assert len(set(urls)) == len(set(signed)) == 2
    assert "X-Goog-Expires=390&" in urls[0]


def _refusal(
    url: str, verb: str, headers: dict[str, str], keys: Callable[[str], list[rsa.RSAPublicKey]]
) -> object:
    parts = urlsplit(url)
    sent = {**headers, "host": parts.netloc}
    return judge(verb, parts.path, parts.query, sent, now=NOW, keys=keys)
