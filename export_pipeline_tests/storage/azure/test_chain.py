"""Azure's default chain: a machine's identity, its tokens, and the keys that sign for it."""

import asyncio
import time
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from export_pipeline.errors import AccessDenied, StoreError, StoreUnavailable
from export_pipeline.storage.azure import ahead
from export_pipeline.storage.azure.chain import KEY_SECONDS
from export_pipeline.storage.azure.store import AzureStore
from export_pipeline_tests.servers.azurite import Azurite
from export_pipeline_tests.servers.identity import OBJECT_ID, Identity
from export_pipeline_tests.storage.azure.conftest import LEFT_OPEN, opened
from export_pipeline_tests.storage.conformance import put, read

pytestmark = LEFT_OPEN


@pytest.fixture
def container(tls_azurite: Azurite) -> str:
    return tls_azurite.new_container()


@pytest.fixture
def store(tls_azurite: Azurite, container: str, identity: Identity) -> AzureStore:
    return opened(container, {"EXPORT_AZURE_ENDPOINT": tls_azurite.service})


def fields_of(url: str | None) -> dict[str, list[str]]:
    assert url is not None
    return parse_qs(urlsplit(url).query)


def test_nothing_is_asked_for_before_it_is_needed(store: AzureStore, identity: Identity) -> None:
    assert store.capabilities.signs_uploads
    assert identity.asked == 0


def test_many_calls_and_urls_cost_one_token(store: AzureStore, identity: Identity) -> None:
    async def scenario() -> None:
        await asyncio.gather(*(put(store, f"key-{number}") for number in range(20)))
        urls = [store.sign_download("key-1", seconds=60) for _ in range(20)]
        assert len({fields_of(url)["skt"][0] for url in urls}) == 1

    asyncio.run(scenario())
    assert identity.asked == 1


def test_a_url_is_signed_for_the_identity_within_the_life_of_its_key(store: AzureStore) -> None:
    fields = fields_of(store.sign_download("a", seconds=7_200))
    assert fields["skoid"] == [OBJECT_ID]
    until, key_until = (
        datetime.fromisoformat(fields[name][0]).timestamp() for name in ("se", "ske")
    )
    assert 7_190 < until - time.time() <= 7_201
    assert until < key_until <= time.time() + KEY_SECONDS


def test_no_url_outlives_a_user_delegation_key(store: AzureStore, identity: Identity) -> None:
    with pytest.raises(StoreError, match=r"lives 604800 seconds.*EXPORT_ORDER_DEADLINE"):
        store.sign_upload("a", seconds=KEY_SECONDS)
    assert identity.asked == 0


def test_a_token_is_waited_for_beside_the_event_loop(store: AzureStore, identity: Identity) -> None:
    identity.delay_seconds = 1.5

    async def scenario() -> None:
        ticks = 0
        asking = asyncio.create_task(store.stat("a"))
        while not asking.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert await asking is None
        assert ticks > 5

    asyncio.run(scenario())


def test_a_first_signature_holds_up_the_event_loop_for_a_bounded_time(
    store: AzureStore, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "WAIT_SECONDS", 0.1)
    identity.delay_seconds = 1.5
    with pytest.raises(StoreUnavailable, match=r"did not come within 0\.1 seconds: try again"):
        store.sign_upload("a", seconds=60)
    monkeypatch.setattr(ahead, "WAIT_SECONDS", 10.0)
    assert store.sign_upload("a", seconds=60) is not None
    assert identity.asked == 1


def test_without_an_identity_the_variables_are_named_and_nobody_asks_again_at_once(
    store: AzureStore, identity: Identity
) -> None:
    identity.refuses = True
    told = (
        r"no Azure credentials: set EXPORT_AZURE_ACCESS_KEY or EXPORT_AZURE_SAS_TOKEN, or give this"
        r" machine an identity; ManagedIdentityCredential: .*error: \(invalid_scope\)"
    )
    for call in (lambda: asyncio.run(read(store, "a")), lambda: store.sign_upload("a", seconds=1)):
        with pytest.raises(AccessDenied, match=told):
            call()
    assert identity.asked == 1


def test_a_token_is_in_no_error(store: AzureStore, identity: Identity, container: str) -> None:
    asyncio.run(put(store, "a"))
    with pytest.raises(StoreError) as told:
        asyncio.run(put(store, "a"))
    assert identity.given
    assert not any(token in str(told.value) for token in identity.given)


def test_a_token_that_the_service_does_not_take_is_told(
    tls_azurite: Azurite, container: str, identity: Identity
) -> None:
    identity.seconds = -60
    store = opened(container, {"EXPORT_AZURE_ENDPOINT": tls_azurite.service})
    with pytest.raises(StoreError, match="Azure's token ends before 30 seconds have passed"):
        asyncio.run(put(store, "a"))
