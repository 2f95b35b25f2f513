"""What goes wrong on the way to Azure or there: no partial blob, and the right kind of error."""

import asyncio

import pytest

from export_pipeline.errors import StoreError, StoreUnavailable
from export_pipeline_tests.servers.faults import Answer, Fate, Gate
from export_pipeline_tests.storage.azure.faults import BLOCK_BYTES, AzureUpstream
from export_pipeline_tests.storage.conformance import chunked, keys, put, read
from export_pipeline_tests.storage.fault_conformance import LARGE
from export_pipeline_tests.storage.http_fault_conformance import HttpFaultConformance, misheard
from export_pipeline_tests.storage.upstream import Upstream

BUSY = b"<Error><Code>ServerBusy</Code><Message>Slow down.\nTime:now</Message></Error>"
EMPTY_MD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="


class TestAzureFaults(HttpFaultConformance):
    part_bytes = BLOCK_BYTES
    # Blocks that are in no blob can be neither seen nor deleted.
    cleans_up = False
    sweeps = False
    # Azurite answers InvalidOperation where Azure answers Md5Mismatch: see below.
    sends_changed_bytes_again = ()
    changed_bytes_error = StoreError
    busy = (503, {}, BUSY)
    busy_words = r"'p/ab'.*Slow down\. \(ServerBusy {status}, request id"
    redirected = "it is elsewhere"

    def stored(self, upstream: Upstream) -> Answer:
        return 201, {}, b""

    def misstated(self, answer: Answer) -> Answer:
        return misheard(answer, "content-md5", EMPTY_MD5)


@pytest.mark.parametrize("code", ["Md5Mismatch", "OperationTimedOut"])
def test_what_azure_says_of_bytes_that_changed_on_their_way_is_transient(
    upstream: AzureUpstream, gate: Gate, code: str
) -> None:
    store = upstream.store(gate.url)
    gate.answers = [(400, {"x-ms-error-code": code}, b"")]
    asyncio.run(store.put("large", chunked(LARGE)))
    assert asyncio.run(read(store, "large")) == LARGE


def test_a_store_that_tells_no_md5_is_read_back(upstream: AzureUpstream, gate: Gate) -> None:
    gate.dropped = {"content-md5"}
    store = upstream.store(gate.url)
    asyncio.run(put(store, "small", b"abc"))
    assert gate.requests[-1] == f"GET {upstream.path('small')}"
    asyncio.run(store.put("large", chunked(LARGE)))
    assert gate.requests[-1] == f"GET {upstream.path('large')}"
    assert (asyncio.run(store.stat("small")).checksum or "").startswith("etag:")


def test_a_lost_answer_to_a_list_of_blocks_is_no_error(upstream: AzureUpstream, gate: Gate) -> None:
    """Azure may say of the repeated list that its blocks are gone, not that the blob exists."""
    store = upstream.store(gate.url)
    gone = (400, {"x-ms-error-code": "InvalidBlockList"}, b"")
    sent = [Fate.PASSED] * -(-len(LARGE) // BLOCK_BYTES)
    asyncio.run(store.put("large", chunked(LARGE)))
    gate.answers = [*sent, gone]
    assert asyncio.run(store.put("large", chunked(LARGE))).size == len(LARGE)
    gate.answers = [*sent, gone]
    with pytest.raises(StoreUnavailable, match=r"'p/never' in .*its blocks are gone: write it"):
        asyncio.run(store.put("never", chunked(LARGE)))


def test_a_source_that_is_replaced_while_it_is_copied_is_told(
    upstream: AzureUpstream, gate: Gate
) -> None:
    store = upstream.store(gate.url)
    asyncio.run(put(store, "source", b"first"))
    head = {"content-length": "5", "etag": '"0x1"'}
    gate.answers = [(200, head, b"first")]
    with pytest.raises(StoreError, match=r"'p/target'.*replaced by another blob meanwhile"):
        asyncio.run(store.copy("source", "target"))
    assert asyncio.run(keys(store)) == ["source"]
