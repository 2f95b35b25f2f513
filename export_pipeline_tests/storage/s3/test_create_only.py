"""S3 look-alikes that take no notice of If-None-Match or refuse it, and the option for both."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from export_pipeline.errors import ConfigError, StoreError
from export_pipeline.storage.open import open_store
from export_pipeline.storage.probe import NO_CREATE_ONLY, probe
from export_pipeline.storage.s3.multipart import PART_BYTES
from export_pipeline.storage.s3.store import S3Store
from export_pipeline.storage.store import Store, pieces
from export_pipeline_tests.receiver.home import make_home
from export_pipeline_tests.receiver.sending import send
from export_pipeline_tests.servers.faults import Gate
from export_pipeline_tests.servers.receiver import running, running_receiver
from export_pipeline_tests.servers.seaweedfs import SeaweedFS
from export_pipeline_tests.storage.conformance import StoreConformance, keys, put, read

SAID = {"EXPORT_S3_CREATE_ONLY": "false"}
NOT_IMPLEMENTED = (
    b"<Error><Code>NotImplemented</Code><Message>A header you provided implies functionality that"
    b" is not implemented</Message><Header>If-None-Match</Header></Error>"
)
INVALID = b"<Error><Code>InvalidArgument</Code><Message>no if-none-match here</Message></Error>"
REFUSALS = [(501, dict[str, str](), NOT_IMPLEMENTED), (400, dict[str, str](), INVALID)]
"""The error that the S3 API has for it, and another that look-alikes may give."""


class LookAlike(Gate):
    """SeaweedFS as if it ignored the condition: what is there makes way for what comes.

    Args:
        ignores: the verbs on which it does: PUT is of small objects, POST completes parts.
    """

    def __init__(self, seaweedfs: SeaweedFS, ignores: Collection[str] = ("PUT", "POST")) -> None:
        super().__init__(seaweedfs.url)
        self._client = seaweedfs.client
        self.ignores = ignores

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_http = scope["type"] == "http" and scope["method"] in self.ignores
        if is_http and (b"if-none-match", b"*") in scope["headers"]:
            _, bucket, key = unquote(scope["raw_path"].decode()).split("/", 2)
            await asyncio.to_thread(self._client.delete_object, Bucket=bucket, Key=key)
        await super().__call__(scope, receive, send)


class Refusing(Gate):
    """SeaweedFS as if it did not know the condition, which it then refuses."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (b"if-none-match", b"*") in scope["headers"]:
            self.answers = [REFUSALS[len(self.requests) % len(REFUSALS)]]
        await super().__call__(scope, receive, send)


@pytest.fixture(scope="module")
def look_alike(seaweedfs: SeaweedFS) -> Iterator[dict[str, str]]:
    """The variables of a store on it, without the one that says so."""
    with running(LookAlike(seaweedfs)) as url:
        yield seaweedfs.variables() | {"EXPORT_S3_ENDPOINT": url}


@pytest.fixture(scope="module")
def refusing(seaweedfs: SeaweedFS) -> Iterator[dict[str, str]]:
    """The variables of a store on one that refuses the condition, without that which says so."""
    with running(Refusing(seaweedfs.url)) as url:
        yield seaweedfs.variables() | {"EXPORT_S3_ENDPOINT": url}


@pytest.fixture
def careless(look_alike: dict[str, str], bucket: str) -> S3Store:
    opened = open_store(f"s3://{bucket}/my archive", look_alike | SAID)
    assert isinstance(opened, S3Store)
    return opened


class TestS3StoreOnALookAlike(StoreConformance):
    lists_in_order = False  # SeaweedFS lists a folder by its name, without the slash
    create_only = False

    @pytest.fixture
    def store(self, careless: S3Store) -> S3Store:
        return careless


class TestS3StoreThatIsNotAskedToRefuse(StoreConformance):
    lists_in_order = False  # SeaweedFS lists a folder by its name, without the slash
    create_only = False

    @pytest.fixture
    def store(self, refusing: dict[str, str], bucket: str) -> Store:
        return open_store(f"s3://{bucket}/my archive", refusing | SAID)


def test_an_object_in_parts_asks_for_nothing_that_the_store_refuses(
    refusing: dict[str, str], bucket: str
) -> None:
    store, large = open_store(f"s3://{bucket}", refusing | SAID), bytes(PART_BYTES + 1)
    asyncio.run(store.put("large", pieces(large)))
    assert asyncio.run(read(store, "large")) == large
    asyncio.run(store.copy("large", "copied"))
    assert asyncio.run(read(store, "copied")) == large


def test_where_nothing_is_said_the_error_names_the_variable_at_the_first_try(
    seaweedfs: SeaweedFS, bucket: str
) -> None:
    gate = Refusing(seaweedfs.url)
    with running(gate) as url:
        store = open_store(f"s3://{bucket}", seaweedfs.variables() | {"EXPORT_S3_ENDPOINT": url})
        for _ in REFUSALS:
            with pytest.raises(StoreError, match="set EXPORT_S3_CREATE_ONLY=false"):
                asyncio.run(put(store, "a"))
    assert len(gate.requests) == len(REFUSALS)


def test_it_signs_downloads_and_no_uploads(careless: S3Store) -> None:
    assert careless.sign_upload("a", seconds=60) is None
    assert careless.sign_download("a", seconds=60) is not None


def test_cloudconvert_gets_no_key_to_it() -> None:
    lent = {
        "EXPORT_S3_ACCESS_KEY_ID": "OWN",
        "EXPORT_S3_SECRET_ACCESS_KEY": "own-secret",
        "EXPORT_S3_REGION": "eu-west-1",
        "EXPORT_CLOUDCONVERT_S3_ACCESS_KEY_ID": "LENT",
        "EXPORT_CLOUDCONVERT_S3_SECRET_ACCESS_KEY": "lent-secret",
    }
    assert open_store("s3://bucket", lent).cloudconvert("a") is not None
    with pytest.raises(ConfigError, match="needs EXPORT_S3_CREATE_ONLY=true"):
        open_store("s3://bucket", lent | SAID)


def test_its_probe_says_what_follows(careless: S3Store) -> None:
    steps = {step.name: step for step in asyncio.run(probe(careless))}
    assert (steps["create-only"].ok, steps["create-only"].words) == (None, NO_CREATE_ONLY)
    assert "signed upload" not in steps
    assert steps["delete"].ok
    assert asyncio.run(keys(careless)) == []


def test_its_probe_fails_and_names_the_variable_where_nothing_is_said(
    look_alike: dict[str, str], bucket: str
) -> None:
    steps = {
        step.name: step for step in asyncio.run(probe(open_store(f"s3://{bucket}", look_alike)))
    }
    assert steps["create-only"].ok is False
    assert "say so with EXPORT_S3_CREATE_ONLY=false" in steps["create-only"].words
    assert steps["delete"].ok


def test_a_look_alike_that_heeds_the_condition_on_put_alone_is_found(
    seaweedfs: SeaweedFS, bucket: str
) -> None:
    with running(LookAlike(seaweedfs, ignores=["POST"])) as url:
        store = open_store(f"s3://{bucket}", seaweedfs.variables() | {"EXPORT_S3_ENDPOINT": url})
        steps = {step.name: step for step in asyncio.run(probe(store))}
        assert asyncio.run(keys(store)) == []
    assert steps["create-only"].ok
    failed = next(step for step in steps.values() if step.ok is False)
    assert failed.name == "create-only by copy"
    assert "a copy onto it replaces an object: say so with EXPORT_S3_CREATE_ONLY" in failed.words
    assert "signed upload" not in steps


def test_a_look_alike_that_heeds_it_for_copies_and_not_for_parts_is_found(
    seaweedfs: SeaweedFS, bucket: str
) -> None:
    """Told apart by the first completion of parts, which is the copy's."""
    gate = LookAlike(seaweedfs, ignores=[])

    async def forgetful(scope: Scope, receive: Receive, send: Send) -> None:
        await gate(scope, receive, send)
        if scope["type"] == "http" and b"uploadId" in scope["query_string"]:
            gate.ignores = ["POST"] if scope["method"] == "POST" else gate.ignores

    with running(forgetful) as url:
        store = open_store(f"s3://{bucket}", seaweedfs.variables() | {"EXPORT_S3_ENDPOINT": url})
        steps = {step.name: step for step in asyncio.run(probe(store))}
        assert asyncio.run(keys(store)) == []
    assert steps["create-only by copy"].ok
    assert steps["create-only in parts"].ok is False
    assert "a write in parts replaces an object" in steps["create-only in parts"].words


def test_of_uploads_at_once_through_the_receiver_one_wins_whole(
    careless: S3Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = make_home(tmp_path_factory.mktemp("home"))
    names = [f"results/{number}.json" for number in range(4)]
    order = home.order('a/../b%2f;:"<x>', names)
    bodies = {(name, n): bytes([n]) * 100_000 for name in names for n in range(4)}

    with running_receiver(home.ledger, careless) as addresses, ThreadPoolExecutor(16) as pool:

        def upload(what: tuple[str, int]) -> tuple[tuple[str, int], int]:
            with httpx.Client(trust_env=False, timeout=60) as http:
                target = addresses.upload(order.id, what[0])
                return what, send(http, target, bodies[what]).status_code

        answers = dict(pool.map(upload, bodies))
    assert Counter(answers.values()) == {201: len(names), 409: len(names) * 3}
    for name in names:
        [winner] = [
            bodies[what] for what, code in answers.items() if (what[0], code) == (name, 201)
        ]
        assert asyncio.run(read(careless, home.key(order, name))) == winner
    home.ledger.close()
