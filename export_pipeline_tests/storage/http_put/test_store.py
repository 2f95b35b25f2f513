import asyncio
from urllib.parse import urlsplit

import httpx
import pytest

from export_pipeline.errors import AccessDenied, StoreError, StoreUnavailable
from export_pipeline.storage.http_put.store import HttpPutStore
from export_pipeline.storage.open import open_store
from export_pipeline.storage.probe import NO_CREATE_ONLY, probe
from export_pipeline.storage.store import Store, pieces
from export_pipeline_tests.servers.nginx import PASSWORD, Nginx
from export_pipeline_tests.servers.web_target import TOKEN, WebTarget
from export_pipeline_tests.storage.conformance import StoreConformance, keys, put, read
from export_pipeline_tests.storage.memory import megabytes_needed

HOSTILE = ["=2e", "a;b", "a%2fb", "a?b#c", "x y", "Ünï", "a&b=c", "~", "a:b", "\"<x>'"]
LET_IN = {"authorization": f"Bearer {TOKEN}"}


class TestHttpPutStore(StoreConformance):
    """On a server that heeds If-None-Match."""


class TestHttpPutStoreOnNginx(StoreConformance):
    create_only = False  # nginx replaces objects, whatever the condition

    @pytest.fixture
    def store(self, careless: HttpPutStore) -> HttpPutStore:
        return careless


@pytest.mark.parametrize("server", ["store", "careless"])
def test_every_name_is_one_object_and_stays_in_its_folder(
    server: str, request: pytest.FixtureRequest
) -> None:
    store: HttpPutStore = request.getfixturevalue(server)

    async def scenario() -> None:
        for name in HOSTILE:
            await put(store, f"{name}/{name}", name.encode())
        for name in HOSTILE:
            assert await read(store, f"{name}/{name}") == name.encode()
        assert await keys(store) == sorted(f"{name}/{name}" for name in HOSTILE)

    asyncio.run(scenario())


def test_objects_lie_under_their_names_for_any_http_client(
    store: HttpPutStore, web: WebTarget
) -> None:
    asyncio.run(put(store, "a b/=2f.pdf", b"report"))
    assert httpx.get(f"{store.url}/a%20b/%3D2f.pdf", headers=LET_IN).content == b"report"
    assert (web.files / urlsplit(store.url).path[1:].replace("%20", " ") / "a b/=2f.pdf").exists()


def test_a_content_type_is_kept_and_copied(store: HttpPutStore) -> None:
    async def scenario() -> None:
        await store.put("report", pieces(b"x"), content_type="application/x-report")
        await store.copy("report", "copy")

    asyncio.run(scenario())
    for name in ("report", "copy"):
        answer = httpx.get(f"{store.url}/{name}", headers=LET_IN)
        assert answer.headers["content-type"] == "application/x-report"


def test_a_probe_finds_every_step_works_and_leaves_nothing(
    store: HttpPutStore, web: WebTarget
) -> None:
    steps = asyncio.run(probe(store))
    assert [(step.name, step.ok) for step in steps] == [
        ("write", True),
        ("read back", True),
        ("create-only", True),
        ("sign", None),
        ("delete", True),
    ]
    assert "through the receiver" in steps[3].words
    assert not list((web.files / urlsplit(store.url).path[1:]).rglob("*.check*/*"))


def test_a_probe_of_a_server_that_replaces_says_what_follows(careless: HttpPutStore) -> None:
    steps = asyncio.run(probe(careless))
    assert [(step.name, step.ok) for step in steps] == [
        ("write", True),
        ("read back", True),
        ("create-only", None),
        ("delete", True),
    ]
    assert steps[2].words == NO_CREATE_ONLY


def test_a_server_that_replaces_and_is_said_not_to_fails_its_probe(nginx: Nginx) -> None:
    variables = {**nginx.variables(), "EXPORT_HTTP_CREATE_ONLY": "true"}
    steps = asyncio.run(probe(open_store(nginx.new_folder(), variables)))
    assert [(step.name, step.ok) for step in steps][2:] == [
        ("create-only", False),
        ("delete", True),
    ]
    assert "say so with EXPORT_HTTP_CREATE_ONLY=false" in steps[2].words


@pytest.mark.parametrize(
    ("path", "changes", "error", "words"),
    [
        ("", {"EXPORT_HTTP_PASSWORD": "wrong"}, AccessDenied, "check EXPORT_HTTP_USERNAME"),
        ("", {"EXPORT_HTTP_USERNAME": "", "EXPORT_HTTP_PASSWORD": ""}, AccessDenied, "let us in"),
        ("/read-only", {}, StoreError, "dav_methods PUT DELETE"),
        ("/small", {}, StoreError, "client_max_body_size"),
    ],
)
def test_a_mistake_in_the_settings_is_told_in_words(
    nginx: Nginx, path: str, changes: dict[str, str], error: type[StoreError], words: str
) -> None:
    store = open_store(nginx.url + path, {**nginx.variables(), **changes})
    with pytest.raises(error, match=words) as told:
        asyncio.run(put(store, ".check/a", b"x" * 2_000))
    assert not told.value.transient
    assert PASSWORD not in str(told.value)


def test_a_server_that_is_not_there_is_told_by_every_method(
    nginx: Nginx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export_pipeline.storage.retries.ATTEMPTS", 1)
    store: Store = open_store("http://127.0.0.1:1/a", nginx.variables())

    async def scenario() -> None:
        for call in (
            put(store, "a"),
            store.stat("a"),
            read(store, "a"),
            keys(store),
            store.copy("a", "b"),
            store.delete("a"),
        ):
            with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1 gave no"):
                await call

    asyncio.run(scenario())


def test_a_large_stream_needs_little_memory(careless: HttpPutStore, nginx: Nginx) -> None:
    assert megabytes_needed(careless.url, nginx.variables()) < 50
