"""Tokens, and who signs: a key of ours, or IAM for whom the default chain finds."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from google.auth.compute_engine import _metadata

from export_pipeline.errors import AccessDenied, ConfigError, StoreError, StoreUnavailable
from export_pipeline.storage.gcs import iam
from export_pipeline.storage.gcs.open import open_store
from export_pipeline.storage.gcs.store import GcsStore
from export_pipeline.storage.probe import probe
from export_pipeline_tests.servers.gcs import Gcs
from export_pipeline_tests.servers.google import ACCOUNT, SUBJECT_TOKEN, Google
from export_pipeline_tests.storage.conformance import keys, put, read

NOW = 1_764_000_010.0


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing that this machine may have is found."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", True)


@pytest.fixture
def machine(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    """This is a machine in Google's cloud, with a service account."""
    host = urlsplit(google.url).netloc
    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", False)
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", host)
    monkeypatch.setenv("GCE_METADATA_IP", host)


@pytest.fixture
def federate(
    google: Google, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., None]:
    """Let this machine be one of another cloud, trusted by workload identity federation."""

    def federate(*, impersonating: bool) -> None:
        (tmp_path / "subject").write_text(SUBJECT_TOKEN)
        found = google.federated(str(tmp_path / "subject"), impersonating=impersonating)
        (tmp_path / "federated.json").write_text(found)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "federated.json"))

    return federate


def chained(gcs: Gcs, bucket: str, now: float | None = None, **variables: str) -> GcsStore:
    """A store without credentials of its own."""
    clock = time.time if now is None else lambda: now
    endpoint = {"EXPORT_GCS_ENDPOINT": gcs.url}
    url = urlsplit(f"gs://{bucket}/p")
    return open_store(url, endpoint | variables, iam_url=gcs.google.url, now=clock)


def push(store: GcsStore, key: str) -> int:
    target = store.sign_upload(key, seconds=60)
    assert target is not None
    return httpx.put(target.url, headers=dict(target.headers), content=b"pushed").status_code


def asked(google: Google, ending: str) -> int:
    return sum(path.endswith(ending) for path in google.asked)


def test_one_token_serves_many_calls_and_is_renewed_before_its_end(
    store: GcsStore, google: Google
) -> None:
    async def writing() -> None:
        await asyncio.gather(*(put(store, f"a/{number}") for number in range(10)))
        assert len(await keys(store)) == 10

    google.token_seconds = 100.0  # shorter than google-auth's margin: too old for a second call
    asyncio.run(put(store, "first"))
    asyncio.run(put(store, "second"))
    assert asked(google, "/token") == 2
    google.token_seconds = 3600.0
    asyncio.run(store.delete("first"))
    asyncio.run(store.delete("second"))
    asyncio.run(writing())
    assert asked(google, "/token") == 3


def test_a_slow_token_holds_nothing_else_up_and_is_asked_for_once(
    store: GcsStore, google: Google
) -> None:
    google.delay_seconds = 3.0
    gaps: list[float] = []

    async def ticking() -> None:
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.01)
            gaps.append(time.monotonic() - begun)

    async def scenario() -> None:
        ticks = asyncio.create_task(ticking())
        await asyncio.gather(*(put(store, f"a/{number}") for number in range(4)))
        ticks.cancel()

    asyncio.run(scenario())
    assert asked(google, "/token") == 1
    assert len(gaps) > 20
    assert max(gaps) < 2.5


@pytest.mark.usefixtures("machine")
def test_a_machines_service_account_writes_and_signs_through_iam(
    gcs: Gcs, bucket: str, google: Google
) -> None:
    store = chained(gcs, bucket)
    asyncio.run(put(store, "written"))
    assert store.capabilities.signs_uploads
    assert push(store, "pushed") == 200
    assert push(store, "pushed") == 412
    assert asyncio.run(read(store, "pushed")) == b"pushed"
    assert httpx.get(store.sign_download("written", seconds=60) or "").content == b"x"
    assert asked(google, ":signBlob") == 2  # one upload and one download


@pytest.mark.usefixtures("machine")
def test_a_machine_signs_before_it_was_ever_asked_for_a_token(gcs: Gcs, bucket: str) -> None:
    assert push(chained(gcs, bucket), "pushed") == 200


def test_federation_signs_as_the_account_that_it_borrows(
    gcs: Gcs, bucket: str, federate: Callable[..., None]
) -> None:
    federate(impersonating=True)
    store = chained(gcs, bucket)
    asyncio.run(put(store, "written"))
    assert push(store, "pushed") == 200
    assert asyncio.run(keys(store)) == ["pushed", "written"]


def test_an_identity_without_an_account_signs_nothing_unless_one_is_named(
    gcs: Gcs, bucket: str, federate: Callable[..., None]
) -> None:
    federate(impersonating=False)
    store = chained(gcs, bucket)
    asyncio.run(put(store, "written"))
    assert store.sign_upload("a", seconds=60) is None
    assert store.sign_download("a", seconds=60) is None
    assert not store.capabilities.signs_uploads
    assert not store.capabilities.signs_downloads
    named = chained(gcs, bucket, EXPORT_GCS_SIGNING_ACCOUNT=ACCOUNT)
    assert named.capabilities.signs_uploads
    assert push(named, "pushed") == 200


@pytest.mark.usefixtures("machine")
def test_a_kubernetes_identity_has_a_name_and_nobody_signs_as_it(
    gcs: Gcs, bucket: str, google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google, "address", "project.svc.id.goog")
    store = chained(gcs, bucket)
    assert store.sign_upload("a", seconds=60) is None
    assert not store.capabilities.signs_uploads


def test_a_key_that_the_chain_finds_signs_by_itself(
    gcs: Gcs, bucket: str, google: Google, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key.json").write_text(google.key_file())
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    assert push(chained(gcs, bucket), "pushed") == 200
    assert asked(google, ":signBlob") == 0


def test_no_credentials_at_all_are_told_in_words(gcs: Gcs, bucket: str) -> None:
    store = chained(gcs, bucket)
    with pytest.raises(AccessDenied, match="no Google credentials: set EXPORT_GCS_KEY"):
        asyncio.run(put(store, "a"))
    with pytest.raises(AccessDenied, match="no Google credentials"):
        store.sign_upload("a", seconds=60)
    assert store.capabilities.create_only
    assert store.capabilities.checksums
    steps = asyncio.run(probe(store))
    assert [(step.name, step.ok) for step in steps] == [("write", False), ("delete", False)]
    assert all("set EXPORT_GCS_KEY" in step.words for step in steps)


@pytest.mark.usefixtures("machine")
def test_capabilities_look_for_no_credentials(gcs: Gcs, bucket: str, google: Google) -> None:
    capabilities = chained(gcs, bucket).capabilities
    assert (capabilities.create_only, capabilities.signs_uploads) == (True, True)
    assert google.asked == []


@pytest.mark.usefixtures("machine")
def test_the_same_url_is_signed_once_for_some_minutes(
    gcs: Gcs, bucket: str, google: Google
) -> None:
    moments = iter([NOW, NOW + 200, NOW, NOW + 300])
    url, endpoint = urlsplit(f"gs://{bucket}/p"), {"EXPORT_GCS_ENDPOINT": gcs.url}
    store = open_store(url, endpoint, iam_url=google.url, now=lambda: next(moments))
    signed = [store.sign_upload(key, seconds=60) for key in ("a", "a", "b", "a")]
    assert signed[0] == signed[1]
    assert len({target.url for target in signed if target}) == 3
    assert asked(google, ":signBlob") == 3


@pytest.mark.usefixtures("machine")
def test_a_url_that_iam_signs_lives_no_longer_than_googles_key(gcs: Gcs, bucket: str) -> None:
    store = chained(gcs, bucket)
    assert store.sign_upload("a", seconds=iam.LONGEST_SECONDS) is not None
    with pytest.raises(StoreError, match=rf"{ACCOUNT} signs lives 43200 seconds.*is 42900"):
        store.sign_upload("a", seconds=12 * 3600)


@pytest.mark.parametrize(
    ("status", "message", "error", "words"),
    [
        (403, "Permission denied.", AccessDenied, "roles/iam.serviceAccountTokenCreator"),
        (403, "API has not been used.", AccessDenied, "API has not been used.*enable the IAM"),
        (404, "Not found.", AccessDenied, "iam.serviceAccounts.signBlob"),
        (429, "Quota exceeded.", StoreUnavailable, "Quota exceeded"),
        (503, "Try again.", StoreUnavailable, f"no URL as {ACCOUNT}.*Try again"),
        (400, "Invalid.", StoreError, "Invalid"),
    ],
)
@pytest.mark.usefixtures("machine")
def test_what_iam_refuses_is_told_in_words_and_not_kept(
    gcs: Gcs,
    bucket: str,
    google: Google,
    status: int,
    message: str,
    error: type[StoreError],
    words: str,
) -> None:
    store = chained(gcs, bucket)
    assert store.sign_download("before", seconds=60) is not None
    google.answers = [(status, {"error": {"code": status, "message": message}})]
    with pytest.raises(error, match=words):
        store.sign_upload("a", seconds=60)
    assert push(store, "a") == 200


@pytest.mark.usefixtures("machine")
def test_an_iam_that_does_not_answer_holds_its_caller_for_a_moment_only(
    gcs: Gcs, bucket: str, google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = chained(gcs, bucket)
    assert store.sign_download("before", seconds=60) is not None
    monkeypatch.setattr(iam, "ANSWER_SECONDS", 0.3)
    google.delay_seconds = 10.0
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable, match=rf"IAM.*{ACCOUNT}, gave no answer"):
        store.sign_upload("a", seconds=60)
    assert time.monotonic() - begun < 8


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            {"error": "invalid_grant", "error_description": "Token must be ... check your iat"},
            AccessDenied,
            "clock differs from Google's",
        ),
        ({"error": "invalid_grant", "error_description": "no account"}, AccessDenied, "no account"),
    ],
)
def test_a_token_that_is_refused_is_told_in_words(
    store: GcsStore, google: Google, answer: dict[str, str], error: type[StoreError], words: str
) -> None:
    google.answers = [(400, answer)]
    with pytest.raises(error, match=words):
        asyncio.run(put(store, "a"))


@pytest.mark.parametrize("found", ["machine", "key file", "signing account"])
def test_the_account_that_the_chain_finds_is_not_lent(
    gcs: Gcs,
    bucket: str,
    google: Google,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    found: str,
) -> None:
    named = {}
    if found == "key file":
        (tmp_path / "key.json").write_text(google.key_file())
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    elif found == "machine":
        request.getfixturevalue("machine")
    else:
        request.getfixturevalue("federate")(impersonating=False)
        named = {"EXPORT_GCS_SIGNING_ACCOUNT": ACCOUNT}

    def lending(address: str) -> GcsStore:
        lent = {
            "EXPORT_CLOUDCONVERT_GCS_PROJECT_ID": "project",
            "EXPORT_CLOUDCONVERT_GCS_CLIENT_EMAIL": address,
            "EXPORT_CLOUDCONVERT_GCS_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----",
        }
        # An endpoint of one's own rules lending out at load: this store is asked for no object.
        return open_store(urlsplit(f"gs://{bucket}/p"), named | lent, iam_url=gcs.google.url)

    with pytest.raises(ConfigError, match="own service account is never given to a vendor"):
        lending(ACCOUNT).cloudconvert("a")
    assert lending("lent@project.iam.gserviceaccount.com").cloudconvert("a") is not None


def test_no_text_has_the_key_or_a_token(gcs: Gcs, store: GcsStore, google: Google) -> None:
    secret = json.loads(google.key_file())["private_key"].splitlines()[1]
    asyncio.run(put(store, "a"))
    for shown in (repr(store), repr(vars(store)), repr(store.capabilities), store.url):
        assert secret not in shown
        assert "token-" not in shown
