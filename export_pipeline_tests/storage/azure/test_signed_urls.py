"""Every signed URL for what it must refuse; the judge is a server that verifies signatures."""

import asyncio
import ssl
import time
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from export_pipeline.storage.azure.open import open_store
from export_pipeline.storage.azure.store import AzureStore
from export_pipeline.storage.store import UploadTarget
from export_pipeline_tests.servers.azurite import ACCOUNT, Azurite
from export_pipeline_tests.storage.azure.conftest import LEFT_OPEN
from export_pipeline_tests.storage.conformance import keys, put, read

pytestmark = LEFT_OPEN
KEY = 'a b/=2f;:"<x>é.pdf'


@pytest.fixture(params=["access key", "identity"])
def server(request: pytest.FixtureRequest) -> Azurite:
    """One that is reached with the account's key, or by TLS with a user delegation key."""
    if request.param == "access key":
        return request.getfixturevalue("azurite")
    request.getfixturevalue("identity")
    return request.getfixturevalue("tls_azurite")


@pytest.fixture
def container(server: Azurite) -> str:
    return server.new_container()


def variables(server: Azurite) -> dict[str, str]:
    if server.certificate:
        return {"EXPORT_AZURE_ENDPOINT": server.service}
    return server.variables()


@pytest.fixture
def store(server: Azurite, container: str) -> AzureStore:
    return opened(container, variables(server))


def opened(container: str, variables: Mapping[str, str], now: float | None = None) -> AzureStore:
    clock = time.time if now is None else lambda: now
    return open_store(urlsplit(f"az://{ACCOUNT}/{container}/p"), variables, now=clock)


def target_of(store: AzureStore, key: str = KEY, seconds: float = 60) -> UploadTarget:
    target = store.sign_upload(key, seconds=seconds)
    assert target is not None
    return target


@pytest.fixture
def vendor(server: Azurite) -> Iterator[httpx.Client]:
    """Knows nothing but how to trust the server."""
    trusted = ssl.create_default_context(cafile=server.certificate)
    with httpx.Client(verify=trusted) as client:
        yield client


def send(
    vendor: httpx.Client, target: UploadTarget, body: bytes = b"pushed", **changes: str | None
) -> int:
    headers = {
        **dict(target.headers),
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    kept = {name: value for name, value in headers.items() if value is not None}
    return vendor.request(target.verb, target.url, headers=kept, content=body).status_code


def test_verb_url_and_headers_are_all_that_a_vendor_needs(
    store: AzureStore, vendor: httpx.Client
) -> None:
    target = target_of(store)
    assert (target.verb, target.headers) == ("PUT", (("x-ms-blob-type", "BlockBlob"),))
    assert send(vendor, target, content_type="application/vendor") == 201
    assert asyncio.run(read(store, KEY)) == b"pushed"


def test_a_second_write_is_refused_and_leaves_the_first(
    store: AzureStore, vendor: httpx.Client
) -> None:
    target = target_of(store)
    assert send(vendor, target, b"first") == 201
    assert send(vendor, target, b"second") == 403
    assert send(vendor, target_of(store), b"third") == 403
    assert asyncio.run(read(store, KEY)) == b"first"


def test_without_what_was_handed_out_nothing_is_written(
    store: AzureStore, vendor: httpx.Client
) -> None:
    target = target_of(store)
    assert send(vendor, target, x_ms_blob_type=None) == 400
    assert send(vendor, target, x_ms_blob_type="Other") == 400
    assert asyncio.run(keys(store)) == []


@pytest.mark.parametrize("part", ["metadata", "properties", "tags", "tier", "lease"])
def test_a_blob_that_is_there_cannot_be_changed_in_any_part(
    store: AzureStore, vendor: httpx.Client, part: str
) -> None:
    """A SAS binds no headers: what they could ask for beyond creating a blob needs more than c."""
    asyncio.run(put(store, KEY, b"kept"))
    before = asyncio.run(store.stat(KEY))
    changing = UploadTarget("PUT", f"{target_of(store).url}&comp={part}")
    asked = {"x_ms_access_tier": "Archive", "x_ms_lease_action": "acquire"}
    assert send(vendor, changing, b"", x_ms_meta_a="b", x_ms_lease_duration="-1", **asked) == 403
    assert asyncio.run(store.stat(KEY)) == before


@pytest.mark.parametrize("other", ["other.pdf", "a%20b", "a%20b/below", "p/other"])
def test_another_blob_cannot_be_written(
    store: AzureStore, vendor: httpx.Client, other: str
) -> None:
    target = target_of(store)
    path, _, query = target.url.partition("?")
    changed = UploadTarget("PUT", f"{path.partition('/p/')[0]}/p/{other}?{query}", target.headers)
    assert send(vendor, changed) == 403
    assert asyncio.run(keys(store)) == []


@pytest.mark.parametrize("verb", ["GET", "HEAD", "DELETE"])
def test_an_upload_url_has_no_other_verb(
    store: AzureStore, vendor: httpx.Client, verb: str
) -> None:
    target = target_of(store)
    asyncio.run(put(store, KEY, b"kept"))
    assert send(vendor, UploadTarget(verb, target.url, target.headers), b"") == 403
    assert asyncio.run(read(store, KEY)) == b"kept"


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("se", "2099-01-01T00%3A00%3A00Z"),
        ("sp", "cw"),
        ("sr", "c"),
        ("sv", "2024-11-04"),
        ("sig", "c2VjcmV0"),
    ],
)
def test_an_altered_query_is_refused(
    store: AzureStore, vendor: httpx.Client, name: str, changed: str
) -> None:
    target = target_of(store)
    path, _, query = target.url.partition("?")
    fields = dict(part.split("=", 1) for part in query.split("&"))
    assert name in fields
    altered = "&".join(f"{field}={text}" for field, text in {**fields, name: changed}.items())
    assert send(vendor, UploadTarget("PUT", f"{path}?{altered}", target.headers)) == 403
    assert asyncio.run(keys(store)) == []


def test_an_expired_url_is_refused(server: Azurite, container: str, vendor: httpx.Client) -> None:
    store = opened(container, variables(server), now=time.time() - 61)
    assert send(vendor, target_of(store, seconds=60)) == 403
    assert send(vendor, target_of(store, seconds=600)) == 201


def test_a_download_url_reads_one_blob_and_does_nothing_else(
    server: Azurite, container: str, vendor: httpx.Client
) -> None:
    store = opened(container, variables(server))
    asyncio.run(put(store, KEY, b"report"))
    asyncio.run(put(store, "other", b"secret"))
    url = store.sign_download(KEY, seconds=60)
    assert url is not None
    path, _, query = url.partition("?")
    assert vendor.get(url).content == b"report"
    assert vendor.put(url, content=b"x", headers={"x-ms-blob-type": "BlockBlob"}).is_error
    assert vendor.delete(url).status_code == 403
    assert vendor.get(f"{path.partition('/p/')[0]}/p/other?{query}").status_code == 403
    past = opened(container, variables(server), now=time.time() - 61)
    assert vendor.get(past.sign_download("other", seconds=60) or "").status_code == 403


def test_what_is_set_is_handed_out_and_kept(
    server: Azurite, container: str, vendor: httpx.Client
) -> None:
    metadata = {"EXPORT_AZURE_METADATA": '{"team": "research"}'}
    store = opened(container, {**variables(server), **metadata})
    target = target_of(store)
    assert ("x-ms-meta-team", "research") in target.headers
    assert send(vendor, target) == 201
    blob = server.client.get_blob_client(container, f"p/{KEY}")
    assert blob.get_blob_properties().metadata == {"team": "research"}


def test_an_encrypted_service_is_signed_for_https_alone(
    tls_azurite: Azurite, azurite: Azurite
) -> None:
    for server, allowed in ((tls_azurite, "https"), (azurite, "https,http")):
        url = target_of(opened("container", server.variables())).url
        assert parse_qs(urlsplit(url).query)["spr"] == [allowed]


def test_with_only_a_sas_token_nothing_is_signed(azurite: Azurite, container: str) -> None:
    store = opened(container, azurite.token_variables(container))
    assert not store.capabilities.signs_uploads
    assert store.sign_upload("a", seconds=1) is None
    assert store.sign_download("a", seconds=1) is None


def test_neither_url_nor_headers_are_shown(store: AzureStore) -> None:
    assert "sig" not in repr(target_of(store))
