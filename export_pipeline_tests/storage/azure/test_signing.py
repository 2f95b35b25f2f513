"""Our signatures, held against those of Azure's own package."""

import base64
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import azure.storage.blob._shared.authentication as theirs
import pytest
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob import UserDelegationKey, generate_blob_sas
from azure.storage.blob._shared.constants import X_MS_VERSION

from export_pipeline.storage.azure.place import Place
from export_pipeline.storage.azure.signing import (
    VERSION,
    AccountKey,
    DelegationKey,
    authorization,
    sas,
)

ENDS = datetime(2026, 11, 22, 1, 0, 0, tzinfo=UTC)
SECRET = base64.b64encode(b"a secret/of+some=length").decode()
KEY = AccountKey(base64.b64decode(SECRET))
DELEGATED = DelegationKey(
    "11059fcc-5514-4800-b5f8-49808b9cfab6",
    "ab1f708d-50f6-404c-a006-d71b2ac7a606",
    "2026-11-22T00:00:00Z",
    "2026-11-29T00:00:00Z",
    "b",
    VERSION,
    KEY.secret,
)
PUBLIC = Place("account", "container", "https://account.blob.core.windows.net")
EMULATED = Place("account", "container", "http://127.0.0.1:10000/account")
HOSTILE = "my archive/a=2f..b/=25;:'\"<>|+&~é/x y"
METADATA = {"x-ms-meta-a_b": "1", "x-ms-meta-a1": "2", "x-ms-meta-ab": "3", "x-ms-meta-_a": "4"}


def test_both_speak_one_version_of_the_service() -> None:
    assert X_MS_VERSION == VERSION


@pytest.mark.parametrize("place", [PUBLIC, EMULATED])
@pytest.mark.parametrize(
    ("verb", "name", "query", "headers"),
    [
        ("GET", HOSTILE, {}, {"x-ms-range": "bytes=5-", "if-match": '"0x1"'}),
        ("HEAD", "a", {}, {}),
        ("DELETE", "a", {}, {}),
        ("PUT", HOSTILE, {}, {"content-length": "10", "content-md5": "AA==", **METADATA}),
        ("PUT", "a", {}, {"content-length": "0", "if-none-match": "*"}),
        ("PUT", "a", {"blockid": "MDA+/w==", "comp": "block"}, {"content-length": "100"}),
        ("GET", "", {"comp": "list", "prefix": "a b/+é~", "restype": "container"}, {}),
    ],
)
def test_a_signed_header_is_that_of_azures_package(
    place: Place, verb: str, name: str, query: dict[str, str], headers: dict[str, str]
) -> None:
    headers = {"x-ms-version": VERSION, "x-ms-date": "Sun, 22 Nov 2026 00:00:00 GMT", **headers}
    url = place.address(name, query)
    request: Any = SimpleNamespace(
        http_request=HttpRequest(verb, url, headers), context=SimpleNamespace(transport=None)
    )
    theirs.SharedKeyCredentialPolicy("account", SECRET).on_request(request)
    signed = request.http_request.headers["Authorization"]
    assert authorization("account", KEY, verb, url, headers) == signed


@pytest.mark.parametrize("place", [PUBLIC, EMULATED])
@pytest.mark.parametrize("name", ["a", HOSTILE])
@pytest.mark.parametrize("permission", ["c", "r"])
@pytest.mark.parametrize("key", [KEY, DELEGATED])
def test_a_signed_url_is_that_of_azures_package(
    place: Place, name: str, permission: str, key: AccountKey | DelegationKey
) -> None:
    signed_with: dict[str, Any] = (
        {"account_key": SECRET}
        if isinstance(key, AccountKey)
        else {"user_delegation_key": _theirs(key)}
    )
    expected = generate_blob_sas(
        "account",
        "container",
        name,
        permission=permission,
        expiry=ENDS,
        protocol="https" if place is PUBLIC else "https,http",
        **signed_with,
    )
    ours = sas(place, name, permission, ENDS.timestamp() - 0.5, key)
    assert parse_qs(ours) == parse_qs(expected)


def test_secrets_are_not_shown() -> None:
    for key in (KEY, DELEGATED):
        assert "secret" not in repr(key)


def _theirs(key: DelegationKey) -> UserDelegationKey:
    made = UserDelegationKey()
    made.signed_oid, made.signed_tid = key.object_id, key.tenant_id
    made.signed_start, made.signed_expiry = key.starts, key.ends
    made.signed_service, made.signed_version = key.service, key.version
    made.value = SECRET
    return made
