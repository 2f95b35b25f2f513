import asyncio
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from export_pipeline.errors import AccessDenied, AlreadyExists, StoreFull, StoreUnavailable
from export_pipeline.ledger import artifacts, orders, quotas, registry
from export_pipeline.ledger.rows import Outcome, QueueClass
from export_pipeline.receiver import uploads
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import UploadTarget, pieces
from export_pipeline_tests.receiver.sending import begin, send, status_of
from export_pipeline_tests.servers.receiver import running_receiver

NAME = "results/2a1b=2f.json"
OTHER_BYTES = "Other bytes are there already; they were left as they are."


@pytest.fixture
def order(home):
    return home.order('a/../b%2f;:"<x>', [NAME, "report.pdf"])


@pytest.mark.parametrize("verb", ["PUT", "POST"])
def test_an_upload_lies_under_its_key_with_size_and_sha256_noted(
    home, addresses, http, order, verb
):
    body = bytes(range(256)) * 10_000
    target = addresses.upload(order.id, NAME)
    answer = send(http, UploadTarget(verb, target.url, target.headers), body)
    assert answer.status_code == 201
    key = home.key(order, NAME)
    assert home.files() == [key]
    assert home.content(key) == body
    artifact = home.artifact(order, NAME)
    assert (artifact.size, artifact.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert artifact.delivered_at is not None


def test_an_upload_while_the_ledger_cannot_be_read_is_503_and_comes_again(
    home, addresses, http, order
):
    """It was a 500 with a traceback: this one query goes past what tells database errors."""
    with home.ledger.write() as tx:
        tx.run(sa.text("ALTER TABLE artifacts RENAME TO elsewhere"))
    answer = send(http, addresses.upload(order.id, NAME), b"first")
    assert (answer.status_code, answer.text) == (503, "The ledger cannot be written now.")
    with home.ledger.write() as tx:
        tx.run(sa.text("ALTER TABLE elsewhere RENAME TO artifacts"))
    assert send(http, addresses.upload(order.id, NAME), b"first").status_code == 201


def test_a_chunked_upload_without_length_and_an_empty_one_are_taken(home, addresses, http, order):
    chunks = iter([b"a" * 70_000, b"b"])
    assert send(http, addresses.upload(order.id, NAME), chunks).status_code == 201
    assert send(http, addresses.upload(order.id, "report.pdf"), b"").status_code == 201
    assert home.artifact(order, NAME).size == 70_001
    assert home.artifact(order, "report.pdf").size == 0


def test_a_repeat_with_other_bytes_is_refused_and_the_first_bytes_stay(
    home, addresses, http, order
):
    target = addresses.upload(order.id, NAME)
    assert send(http, target, b"first").status_code == 201
    answer = send(http, target, b"second")
    assert (answer.status_code, answer.text) == (409, OTHER_BYTES)
    assert home.files() == [home.key(order, NAME)]
    assert home.content(home.key(order, NAME)) == b"first"
    assert home.artifact(order, NAME).size == 5


def test_a_repeat_with_the_same_bytes_is_fine_and_changes_nothing(home, addresses, http, order):
    target = addresses.upload(order.id, NAME)
    body = bytes(3_000_000)
    assert send(http, target, body).status_code == 201
    before = home.artifact(order, NAME)
    assert send(http, target, body).status_code == 200
    assert home.artifact(order, NAME) == before
    assert home.files() == [home.key(order, NAME)]


@pytest.mark.parametrize("body", [b"first", b"second"])
def test_a_repeat_after_a_crash_between_store_and_ledger_is_compared_with_the_store(
    home, addresses, http, order, body
):
    """The answer was lost with the process: the bytes are safe, and nothing says so yet."""
    asyncio.run(home.store.put(home.key(order, NAME), pieces(b"first")))
    answer = send(http, addresses.upload(order.id, NAME), body)
    noted = home.artifact(order, NAME).sha256
    if body == b"first":
        assert (answer.status_code, noted) == (200, hashlib.sha256(b"first").hexdigest())
    else:
        assert (answer.status_code, answer.text, noted) == (409, OTHER_BYTES, None)
    assert home.content(home.key(order, NAME)) == b"first"


class EagerStore:
    """A store that sees at the first bytes, or before any, that the name is taken."""

    capabilities = LocalStore.capabilities

    def __init__(self, store, chunks_taken):
        self.store = store
        self.chunks_taken = chunks_taken

    async def put(self, key, chunks, *, content_type=None):
        if self.chunks_taken:
            await anext(aiter(chunks))
        raise AlreadyExists(key)

    def open(self, key):
        return self.store.open(key)


@pytest.mark.parametrize("chunks_taken", [0, 1])
@pytest.mark.parametrize(("last", "status"), [(b"x", 200), (b"y", 409)])
def test_a_store_that_refuses_early_has_the_repeat_compared_to_its_end(
    home, http, order, chunks_taken, last, status
):
    body = b"x" * 500_000
    asyncio.run(home.store.put(home.key(order, NAME), pieces(body)))
    with running_receiver(home.ledger, EagerStore(home.store, chunks_taken)) as addresses:
        answer = send(http, addresses.upload(order.id, NAME), iter([body[:-1], last]))
    assert answer.status_code == status


@pytest.mark.parametrize(("body", "status"), [(b"first", 200), (b"second", 409)])
def test_a_repeat_of_a_verified_artifact_of_a_closed_order_is_compared_too(
    home, addresses, http, order, body, status
):
    target = addresses.upload(order.id, NAME)
    send(http, target, b"first")
    with home.ledger.write() as tx:
        artifacts.verified(tx, home.artifact(order, NAME))
    close(home, order)
    assert send(http, target, body).status_code == status
    assert home.content(home.key(order, NAME)) == b"first"


def test_a_repeat_for_an_older_attempt_is_compared_with_what_the_next_one_brought(
    home, addresses, http, order
):
    close(home, order)
    with home.ledger.write() as tx:
        scan = registry.by_id(tx, order.scan_id)
        again = orders.insert(tx, scan, generation=1, attempt=2, queue_class=QueueClass.HAND)
        artifacts.assign(tx, scan.id, 1, [NAME], again)
    assert send(http, addresses.upload(order.id, NAME), b"early").status_code == 409
    assert send(http, addresses.upload(again, NAME), b"bytes").status_code == 201
    assert send(http, addresses.upload(order.id, NAME), b"bytes").status_code == 200
    assert send(http, addresses.upload(order.id, NAME), b"other").status_code == 409
    assert send(http, addresses.upload(again, "report.pdf"), b"x").status_code == 404


def test_of_two_uploads_at_once_exactly_one_wins(home, addresses, http, order):
    target = addresses.upload(order.id, NAME)
    heads = [begin(target, "Content-Length: 2") for _ in range(2)]
    for connection, body in zip(heads, [b"a", b"b"], strict=True):
        connection.sendall(body)
    for connection, body in zip(heads, [b"a", b"b"], strict=True):
        connection.sendall(body)
    statuses = [status_of(connection) for connection in heads]
    for connection in heads:
        connection.close()
    assert sorted(statuses) == [201, 409]
    winner = b"aa" if statuses[0] == 201 else b"bb"
    assert home.content(home.key(order, NAME)) == winner
    assert home.artifact(order, NAME).sha256 == hashlib.sha256(winner).hexdigest()


@pytest.mark.parametrize(
    ("head", "part"),
    [("Content-Length: 3000000", b"x" * 2_000_000), ("Transfer-Encoding: chunked", b"5\r\nab")],
)
def test_a_body_cut_short_leaves_nothing(home, addresses, order, head, part):
    with capture_logs() as lines:
        with begin(addresses.upload(order.id, NAME), head) as connection:
            connection.sendall(part)
        while not lines:
            time.sleep(0.01)
    assert [line["event"] for line in lines] == ["cut short by the sender"]
    assert home.files() == []
    assert home.artifact(order, NAME).delivered_at is None


def test_an_upload_that_was_cut_short_may_come_again(home, addresses, http, order):
    target = addresses.upload(order.id, NAME)
    with begin(target, "Content-Length: 9") as connection:
        connection.sendall(b"who")
    assert send(http, target, b"whole").status_code == 201
    assert home.content(home.key(order, NAME)) == b"whole"


def test_a_body_that_declares_too_much_is_refused_before_it_is_sent(home, addresses, order):
    head = f"Content-Length: {uploads.MAX_UPLOAD_BYTES + 1}"
    with begin(addresses.upload(order.id, NAME), head) as connection:
        assert status_of(connection) == 413
    assert home.files() == []


def test_a_chunked_body_beyond_the_limit_leaves_nothing(home, addresses, http, order, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_UPLOAD_BYTES", 1_000_000)
    with begin(addresses.upload(order.id, NAME), "Transfer-Encoding: chunked") as connection:
        connection.sendall(b"f4241\r\n" + bytes(1_000_001) + b"\r\n")
        assert status_of(connection) == 413
    assert home.files() == []


@pytest.mark.parametrize("limit", ["UPLOAD_SECONDS", "IDLE_SECONDS"])
def test_a_body_that_does_not_come_in_time_is_refused(home, addresses, order, monkeypatch, limit):
    monkeypatch.setattr(uploads, limit, 0.05)
    with begin(addresses.upload(order.id, NAME), "Content-Length: 5") as connection:
        connection.sendall(b"x")
        assert status_of(connection) == 408
    assert home.files() == []


def test_nothing_is_taken_for_a_closed_order(home, addresses, http, order):
    close(home, order)
    answer = send(http, addresses.upload(order.id, NAME), b"late")
    assert (answer.status_code, home.files()) == (409, [])
    assert "closed" in answer.text


def test_an_order_closed_during_a_slow_upload_gets_nothing_more(
    home, addresses, order, monkeypatch
):
    monkeypatch.setattr(uploads, "QUICK_SECONDS", 0.0)
    with begin(
        addresses.upload(order.id, NAME), "Content-Length: 4", "Expect: 100-continue"
    ) as connection:
        # The interim answer shows that the order was found open and the body is waited for.
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        close(home, order)
        connection.sendall(b"late")
        assert status_of(connection) == 409
    assert home.files() == []


def test_an_upload_that_was_given_up_while_it_was_published_is_taken_back(home, http, order):
    """Published between the collector's last look and the seal, it lay untracked in the bag."""

    class GivenUpMeanwhile(LocalStore):
        async def put(self, key, chunks, *, content_type=None):
            stored = await super().put(key, chunks, content_type=content_type)
            with home.ledger.write() as tx:
                artifacts.missing(tx, artifacts.find(tx, order.id, NAME), "the attempts are spent")
            return stored

    store = GivenUpMeanwhile(home.path / "archive")
    with running_receiver(home.ledger, store) as addresses:
        answer = send(http, addresses.upload(order.id, NAME), b"late")
    assert (answer.status_code, home.files()) == (409, [])
    assert "settled already, as missing" in answer.text


def test_nothing_is_taken_for_a_settled_artifact(home, addresses, http, order):
    with home.ledger.write() as tx:
        artifacts.missing(tx, home.artifact(order, NAME), "given up")
    answer = send(http, addresses.upload(order.id, NAME), b"late")
    assert (answer.status_code, home.files()) == (409, [])


@pytest.mark.parametrize(
    "name",
    ["other.json", "../../../x", "results/../report.pdf", "/etc/passwd", "report.pdf/",
     ".", "x" * 10_000, "a\0b", "results\\2a1b", "REPORT.PDF", "é", "%2e%2e%2fx"],
)  # fmt: skip
def test_a_name_that_the_order_does_not_have_is_refused_even_with_its_token(
    home, addresses, order, name
):
    with begin(addresses.upload(order.id, name), "Content-Length: 1") as connection:
        connection.sendall(b"x")
        assert status_of(connection) == 404
    assert home.files() == []


def test_an_unknown_order_is_refused(home, addresses, http):
    answer = send(http, addresses.upload("0" * 32, NAME), b"x")
    assert (answer.status_code, answer.text) == (404, "There is no such order.")


def test_another_orders_token_and_another_artifacts_are_refused(home, addresses, http, order):
    other = home.order("other", [NAME])
    url = addresses.upload(order.id, NAME).url
    for stolen in (addresses.upload(other.id, NAME), addresses.upload(order.id, "report.pdf")):
        answer = send(http, UploadTarget("PUT", url, stolen.headers), b"x")
        assert (answer.status_code, answer.text) == (401, "Unauthorized")
    assert home.files() == []


def test_a_large_body_without_a_token_gets_its_answer_and_the_connection_goes_on(
    home, addresses, http, order
):
    target = addresses.upload(order.id, NAME)
    assert http.put(target.url, content=bytes(3_000_000)).status_code == 401
    assert send(http, target, b"x").status_code == 201


def test_a_token_of_the_previous_secret_still_opens(home, http, order):
    with running_receiver(home.ledger, home.store, ("old",)) as before:
        path = before.upload(order.id, NAME)
    with running_receiver(home.ledger, home.store, ("new", "old")) as after:
        target = UploadTarget("PUT", after.upload(order.id, NAME).url, path.headers)
        assert send(http, target, b"x").status_code == 201


class FailingStore:
    """A store that reads the body and then fails as told."""

    capabilities = LocalStore.capabilities

    def __init__(self, error):
        self.error = error

    async def put(self, key, chunks, *, content_type=None):
        async for _ in chunks:
            pass
        raise self.error

    async def stat(self, key):
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "needs_person"),
    [(StoreFull, 507, True), (StoreUnavailable, 503, False), (AccessDenied, 500, True)],
)
def test_a_failing_store_is_a_status_without_its_inner_text_and_lets_the_account_rest(
    home, http, order, error, status, needs_person
):
    with running_receiver(home.ledger, FailingStore(error("inner text"))) as addresses:
        answer = send(http, addresses.upload(order.id, NAME), b"x")
        health = http.get(addresses.upload("", "").url.split("/uploads")[0] + "/healthz")
    assert (answer.status_code, health.status_code) == (status, status)
    assert "inner text" not in answer.text
    artifact = home.artifact(order, NAME)
    assert (artifact.delivered_at, artifact.state) == (None, "expected")
    assert artifact.reason == "our store refused the upload: inner text"
    with home.ledger.read() as tx:
        rest = quotas.cooldown(tx, order.vendor, order.account)
    assert (rest.reason, rest.needs_person) == (artifact.reason, needs_person)


def test_many_uploads_at_once_all_arrive(home, addresses):
    names = [f"results/{number}.json" for number in range(64)]
    order = home.order("many", names)
    with httpx.Client(trust_env=False, timeout=60) as http, ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda n: send(http, addresses.upload(order.id, n), n.encode()), names)
        )
    assert {answer.status_code for answer in answers} == {201}
    assert home.files() == sorted(home.key(order, name) for name in names)


def close(home, order):
    with home.ledger.write() as tx:
        assert orders.close(tx, order.id, Outcome.INCOMPLETE)
