"""The vendor's own SDK, unchanged, finds in the sandbox what it expects of the vendor."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from hookbridge import HookBridge
from hookbridge.errors import AuthenticationError, HookBridgeError, NotFoundError, RateLimitError

from export_pipeline.sandbox import SteppedClock
from export_pipeline_tests.sandbox.hookbridge.api import ENDPOINT, Api

START, END = datetime(2023, 11, 1, tzinfo=UTC), datetime(2023, 11, 2, tzinfo=UTC)


@pytest.fixture
def sdk(hookbridge: Api) -> Iterator[HookBridge]:
    url = hookbridge.sandbox.addresses["hookbridge"]
    with HookBridge(hookbridge.key, base_url=url, retries=0) as made:
        yield made


def test_it_creates_gets_lists_downloads_and_deletes(sdk: HookBridge, clock: SteppedClock) -> None:
    created = sdk.create_export(
        start_time=START, end_time=END, status="failed_permanent", endpoint_id=ENDPOINT
    )
    assert (created.status, created.filter_start_time) == ("pending", START)
    clock.advance(5)
    export = sdk.get_export(created.id)
    assert (export.status, export.row_count) == ("completed", 1)
    assert export in sdk.list_exports()
    body = httpx.get(sdk.download_export(export.id), trust_env=False).content
    assert len(body) == export.file_size_bytes
    sdk.delete_export(export.id)
    assert export not in sdk.list_exports()


def test_it_reads_each_refusal(sdk: HookBridge, hookbridge: Api) -> None:
    made = sdk.create_export(start_time=START, end_time=END)
    with pytest.raises(HookBridgeError) as caught:
        sdk.download_export(made.id)
    assert (caught.value.code, caught.value.request_id) == (
        "EXPORT_NOT_READY",
        "req_0000000000000002",
    )
    with pytest.raises(HookBridgeError, match="EXPORT_ACTIVE"):
        sdk.delete_export(made.id)
    with pytest.raises(NotFoundError):
        sdk.get_export("01935abc-def0-7123-4567-890abcdef012")
    hookbridge.control("POST", "/faults", {"list": ["429"]})
    with pytest.raises(RateLimitError) as limited:
        sdk.list_exports()
    assert limited.value.retry_after == 1


def test_it_reads_that_a_key_is_wrong(hookbridge: Api) -> None:
    url = hookbridge.sandbox.addresses["hookbridge"]
    with HookBridge("hb_test_wrong", base_url=url) as sdk, pytest.raises(AuthenticationError):
        sdk.list_exports()
