"""Versions, snapshots and immutability: all is erased, and what keeps a blob is told before."""

import asyncio
from collections.abc import Mapping

import pytest
from azure.storage.blob import BlobServiceClient

from export_pipeline.errors import StoreError
from export_pipeline.storage.azure.client import AzureClient
from export_pipeline.storage.azure.store import AzureStore
from export_pipeline.storage.http import Answer
from export_pipeline_tests.servers.azurite import ACCOUNT, KEY, Azurite
from export_pipeline_tests.storage.conformance import put

FOLDER = "copyleaks/default/essay/"
NAME = f"my archive/{FOLDER}1/bagit.txt"
SIZE = "<Properties><Content-Length>3</Content-Length>{}</Properties>"
HELD = "<ImmutabilityPolicyUntilDate>{}</ImmutabilityPolicyUntilDate><LegalHold>true</LegalHold>"
CURRENT = "<VersionId>v2</VersionId><IsCurrentVersion>true</IsCurrentVersion>"


def listing(*blobs: str) -> bytes:
    """A page as Azure lists it ("List Blobs"): no server here keeps versions."""
    entries = "".join(f"<Blob><Name>{NAME}</Name>{blob}</Blob>" for blob in blobs)
    return (
        f"<EnumerationResults><Blobs>{entries}</Blobs><NextMarker/></EnumerationResults>".encode()
    )


def answering(
    monkeypatch: pytest.MonkeyPatch, pages: list[bytes]
) -> list[tuple[str, Mapping[str, str]]]:
    """Answer lists with these pages, the last one again and again; note what was deleted."""
    noted: list[tuple[str, Mapping[str, str]]] = []

    async def call(
        _: AzureClient,
        _action: str,
        verb: str,
        name: str,
        *,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        if verb == "DELETE":
            noted.append((name, dict(query)))
            return Answer(202, {}, b"")
        return Answer(200, {}, pages.pop(0) if len(pages) > 1 else pages[0])

    monkeypatch.setattr(AzureClient, "call", call)
    return noted


def test_a_blob_goes_before_its_versions_and_then_the_version_that_it_became(
    store: AzureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = SIZE.format("")
    first = listing(f"<VersionId>v1</VersionId>{size}", f"{CURRENT}{size}")
    second = listing(f"<VersionId>v2</VersionId>{size}")
    deleted = answering(monkeypatch, [first, second, listing()])
    assert asyncio.run(store.erase(FOLDER)) == 2
    assert deleted == [(NAME, {}), (NAME, {"versionid": "v1"}), (NAME, {"versionid": "v2"})]


def test_what_keeps_a_blob_is_told_with_its_end(
    store: AzureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = SIZE.format(HELD.format("Wed, 02 Jan 2019 03:04:05 GMT").replace("true", "false"))
    kept = SIZE.format(HELD.format("Mon, 02 Jan 2040 03:04:05 GMT"))
    answering(monkeypatch, [listing(over, kept)])

    async def locks() -> list[str]:
        return [one.lock async for one in store.versions(FOLDER)]

    until = "an immutability policy until Mon, 02 Jan 2040 03:04:05 GMT"
    assert asyncio.run(locks()) == ["", f"a legal hold and {until}"]


def test_a_folder_that_somebody_goes_on_writing_to_is_told(
    store: AzureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, [listing(SIZE.format(""))])
    with pytest.raises(StoreError, match="written to again and again"):
        asyncio.run(store.erase(FOLDER))


def test_snapshots_are_erased_with_their_blob(
    store: AzureStore, azurite: Azurite, container: str
) -> None:
    asyncio.run(put(store, f"{FOLDER}1/bagit.txt"))
    service = BlobServiceClient(
        azurite.service, credential={"account_name": ACCOUNT, "account_key": KEY}
    )
    with service.get_container_client(container) as client:
        client.get_blob_client(NAME).create_snapshot()

        async def found() -> list[int]:
            return [one.size async for one in store.versions(FOLDER)]

        assert asyncio.run(found()) == [1, 1]
        assert asyncio.run(store.erase(FOLDER)) == 2
        assert list(client.list_blobs(include=["snapshots"])) == []
