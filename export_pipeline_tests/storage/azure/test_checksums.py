"""Other bytes than were sent: refused, sent again, or found and taken away."""

import asyncio

import pytest

from export_pipeline.errors import StoreError, StoreUnavailable
from export_pipeline.storage.azure import blocks
from export_pipeline_tests.servers.azurite import Azurite
from export_pipeline_tests.servers.faults import Gate
from export_pipeline_tests.storage.azure.faults import BLOB, DATA, through
from export_pipeline_tests.storage.conformance import chunked, keys, put, read

pytestmark = pytest.mark.usefixtures("small_blocks")


@pytest.mark.parametrize("code", ["Md5Mismatch", "OperationTimedOut"])
def test_bytes_that_changed_on_their_way_are_sent_again(
    gate: tuple[Gate, str], azurite: Azurite, container: str, code: str
) -> None:
    app, url = gate
    store = through(url, azurite, container)
    app.answers = [(400, {"x-ms-error-code": code}, b"")]
    asyncio.run(store.put("large", chunked(DATA)))
    assert asyncio.run(read(store, "large")) == DATA


def test_a_server_that_checks_md5_refuses_other_bytes(
    azurite: Azurite, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def of_other_bytes(_: object) -> str:
        return "1B2M2Y8AsgTpgAmY7PhCfg=="

    monkeypatch.setattr(blocks, "content_md5", of_other_bytes)
    store = through(azurite.url, azurite, container)
    for data in (b"small", DATA):
        with pytest.raises(StoreError, match="contentMD5 doesn't match"):
            asyncio.run(store.put("a", chunked(data)))
    assert asyncio.run(keys(store)) == []


def test_a_store_that_tells_no_md5_is_read_back(
    gate: tuple[Gate, str], azurite: Azurite, container: str
) -> None:
    app, url = gate
    app.dropped = {"content-md5"}
    store = through(url, azurite, container)
    asyncio.run(put(store, "small", b"abc"))
    assert app.requests[-1] == f"GET {BLOB.format(container, 'small')}"
    asyncio.run(store.put("large", chunked(DATA)))
    assert app.requests[-1] == f"GET {BLOB.format(container, 'large')}"
    assert (asyncio.run(store.stat("small")).checksum or "").startswith("etag:")


@pytest.mark.parametrize("told", [{}, {"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}])
def test_other_bytes_than_were_sent_are_taken_away_again(
    gate: tuple[Gate, str], azurite: Azurite, container: str, told: dict[str, str]
) -> None:
    app, url = gate
    store = through(url, azurite, container)
    azurite.client.get_blob_client(container, "p/a").upload_blob(b"abd")
    app.answers = [(201, told, b"")]
    with pytest.raises(StoreUnavailable, match=r"'p/a' in .*stored with other bytes"):
        asyncio.run(put(store, "a", b"abc"))
    assert asyncio.run(keys(store)) == []
