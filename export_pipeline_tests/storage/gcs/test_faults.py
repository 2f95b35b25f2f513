"""What goes wrong on the way to Google or there: no partial object, and the right kind of error."""

import asyncio
import json

import pytest

from export_pipeline.errors import StoreError, StoreUnavailable
from export_pipeline.storage.store import Store
from export_pipeline_tests.servers.faults import Answer, Gate
from export_pipeline_tests.storage.conformance import put
from export_pipeline_tests.storage.gcs.faults import PART_BYTES, GcsUpstream, refused
from export_pipeline_tests.storage.http_fault_conformance import HttpFaultConformance
from export_pipeline_tests.storage.upstream import Pauses

EMPTY_MD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="


class TestGcsFaults(HttpFaultConformance):
    part_bytes = PART_BYTES
    sweeps = False  # an upload that nobody ends is in no list
    sends_changed_bytes_again = ("whole",)  # in parts, only the MD5 of all is compared, at the end
    busy = refused(503, "backendError")
    busy_words = r"'p/ab'.*backendError {status}: Told\."
    nothing_stored = (StoreError, "cannot be read")  # Google describes what it stored
    wrong_checksum = (StoreUnavailable, "stored with other bytes; now deleted")  # and nothing else
    redirected = "check EXPORT_GCS_ENDPOINT"

    def stored(self, upstream: GcsUpstream) -> Answer:
        return upstream.described(self.scratch)

    def misstated(self, answer: Answer) -> Answer:
        status, headers, body = answer
        if b'"md5Hash"' not in body:
            return answer
        told = {name: headers[name] for name in headers if name.lower() != "content-length"}
        return status, told, json.dumps(json.loads(body) | {"md5Hash": EMPTY_MD5}).encode()

    @pytest.mark.parametrize(
        ("status", "reason"), [(408, "requestTimeout"), (403, "userRateLimitExceeded")]
    )
    def test_a_server_that_is_busy_in_other_words_is_asked_again(
        self, upstream: GcsUpstream, gate: Gate, direct: Store, status: int, reason: str
    ) -> None:
        self.busy_words = rf"'p/ab'.*{reason} {status}: Told\."
        self.require_asked_again(upstream, gate, direct, refused(status, reason))


def test_a_date_to_wait_for_is_not_waited_for(upstream: GcsUpstream, gate: Gate) -> None:
    pauses = Pauses()
    date = "Sun, 22 Nov 2026 00:00:00 GMT"
    gate.answers = [refused(503, "backendError", retry_after=date)]
    asyncio.run(put(upstream.store(gate.url, sleep=pauses), "a"))
    assert pauses[0] < 10
