import asyncio
import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from export_pipeline.errors import ConfigError
from export_pipeline.ledger import inbox, leases
from export_pipeline.ledger.database import Ledger, Tx, database_clock
from export_pipeline.ledger.home import make_ledger, open_ledger
from export_pipeline.ledger.writer import GROUP_LIMIT
from export_pipeline_tests.ledger.conftest import SteppedClock

GIVE_UP_SECONDS = 60.0


@pytest.fixture
def other(ledger: Ledger, url: str, clock: SteppedClock) -> Iterator[Ledger]:
    """A second handle on the same ledger, as another process has it."""
    other = open_ledger(url, clock)
    yield other
    other.close()


def receive(tx: Tx, number: int) -> int:
    return inbox.receive(
        tx, vendor="v", account="a", topic="t", subject=str(number), headers={}, body=b"{}"
    )


def subjects(ledger: Ledger) -> list[int]:
    with ledger.read() as tx:
        return [int(letter.subject) for letter in inbox.unhandled(tx, "v", "t", 10_000)]


async def apply_all(ledger: Ledger, numbers: range) -> list[object]:
    pieces = [ledger.apply(receive, number) for number in numbers]
    return await asyncio.gather(*pieces, return_exceptions=True)


def test_a_thousand_concurrent_applies_are_all_there_when_the_ledger_is_opened_again(
    ledger: Ledger, url: str
) -> None:
    ids = asyncio.run(apply_all(ledger, range(1000)))
    assert len(set(ids)) == 1000
    ledger.close()
    again = open_ledger(url)
    assert sorted(subjects(again)) == list(range(1000))
    again.close()


def test_pieces_that_wait_together_share_a_commit_of_at_most_the_group_limit(
    ledger: Ledger, other: Ledger
) -> None:
    commits: list[object] = []
    sa.event.listen(ledger.engine, "commit", commits.append)

    async def queue_behind_another_writer() -> None:
        with other.write():
            first = asyncio.create_task(ledger.apply(receive, 0))
            rest = asyncio.create_task(apply_all(ledger, range(1, 2 * GROUP_LIMIT + 1)))
            await asyncio.sleep(0.1)
        await asyncio.gather(first, rest)

    asyncio.run(queue_behind_another_writer())
    assert len(subjects(ledger)) == 2 * GROUP_LIMIT + 1
    assert 3 <= len(commits) <= 5


def test_a_failing_piece_undoes_only_itself_and_its_caller_gets_the_exception(
    ledger: Ledger, other: Ledger
) -> None:
    def fail(tx: Tx) -> None:
        receive(tx, 99)
        raise KeyError("told to")

    def violate(tx: Tx) -> None:
        receive(tx, 98)
        tx.connection.execute(sa.text("INSERT INTO leases (name) VALUES ('no owner')"))

    async def among_others() -> list[object]:
        with other.write():
            pieces = [
                asyncio.create_task(piece)
                for piece in (
                    ledger.apply(receive, 1),
                    ledger.apply(fail),
                    ledger.apply(violate),
                    ledger.apply(receive, 2),
                )
            ]
            await asyncio.sleep(0.1)
        return await asyncio.gather(*pieces, return_exceptions=True)

    _, failure, violation, _ = asyncio.run(among_others())
    assert isinstance(failure, KeyError)
    assert isinstance(violation, sa.exc.IntegrityError)
    assert subjects(ledger) == [1, 2]


def test_a_piece_cancelled_before_its_turn_is_not_done_and_the_others_are(
    ledger: Ledger, other: Ledger
) -> None:
    has_begun = threading.Event()
    sa.event.listen(ledger.engine, "begin", lambda _: has_begun.set())

    async def cancel_the_second() -> list[object]:
        with other.write():
            pieces = [asyncio.create_task(ledger.apply(receive, number)) for number in range(2)]
            # From then on the writer waits with what it has, for the other one's end.
            assert await asyncio.to_thread(has_begun.wait, GIVE_UP_SECONDS)
            pieces.append(asyncio.create_task(ledger.apply(receive, 2)))
            pieces.append(asyncio.create_task(ledger.apply(receive, 3)))
            await asyncio.sleep(0)
            pieces[2].cancel()
            await asyncio.sleep(0)
        return await asyncio.gather(*pieces, return_exceptions=True)

    results = asyncio.run(cancel_the_second())
    assert isinstance(results[2], asyncio.CancelledError)
    assert subjects(ledger) == [0, 1, 3]


def test_closing_finishes_the_work_that_was_asked_for(ledger: Ledger, other: Ledger) -> None:
    async def close_with_work_waiting() -> None:
        with other.write():
            pieces = [asyncio.create_task(ledger.apply(receive, number)) for number in range(600)]
            await asyncio.sleep(0.1)
            closing = asyncio.create_task(asyncio.to_thread(ledger.close))
            await asyncio.sleep(0.1)
            assert not closing.done()
        await asyncio.gather(closing, *pieces)

    asyncio.run(close_with_work_waiting())
    assert len(subjects(other)) == 600


def test_when_the_commit_cannot_be_had_every_caller_is_told(ledger: Ledger) -> None:
    def refuse(_connection: sa.Connection) -> None:
        raise OSError("disk gone")

    sa.event.listen(ledger.engine, "commit", refuse)
    results = asyncio.run(apply_all(ledger, range(3)))
    sa.event.remove(ledger.engine, "commit", refuse)
    assert [str(result) for result in results] == ["disk gone"] * 3
    assert asyncio.run(apply_all(ledger, range(1)))
    assert subjects(ledger) == [0]


def test_a_second_writer_waits_for_the_first_instead_of_failing(
    ledger: Ledger, other: Ledger
) -> None:
    order: list[str] = []

    def second() -> None:
        with other.write() as tx:
            order.append("second")
            leases.acquire(tx, "lease", "second", 60)

    with ledger.write() as tx:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        leases.acquire(tx, "lease", "first", 0)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    with ledger.read() as tx:
        assert tx.all(sa.text("SELECT owner FROM leases")) == [("second",)]


def test_a_reader_sees_one_view_while_a_writer_commits(ledger: Ledger, other: Ledger) -> None:
    with ledger.read() as tx:
        before = len(inbox.unhandled(tx, "v", "t", 10))
        with other.write() as writing:
            receive(writing, 1)
        assert len(inbox.unhandled(tx, "v", "t", 10)) == before == 0
    assert subjects(ledger) == [1]


def test_look_reads_off_the_event_loop(ledger: Ledger) -> None:
    def where(tx: Tx) -> tuple[str, int]:
        return threading.current_thread().name, len(tx.all(sa.text("SELECT * FROM inbox")))

    thread, rows = asyncio.run(ledger.look(where))
    assert thread != threading.current_thread().name
    assert rows == 0


def test_the_default_clock_is_the_databases_own(url: str) -> None:
    ledger = make_ledger(url)
    with ledger.write() as tx:
        assert abs(database_clock(tx.connection) - tx.now) < 60
        assert tx.now > 1_700_000_000
    ledger.close()


def test_an_error_of_the_database_quotes_no_values(ledger: Ledger) -> None:
    with ledger.write() as tx:
        leases.acquire(tx, "name", "owner", 1)
    again = sa.text("INSERT INTO leases (name, owner, until) VALUES ('name', :secret, 0)")
    with pytest.raises(sa.exc.IntegrityError) as caught, ledger.write() as tx:
        tx.connection.execute(again, {"secret": "do-not-quote-me"})
    assert "do-not-quote-me" not in str(caught.value)


def test_a_ledger_on_another_database_is_refused_by_the_name_of_the_setting() -> None:
    with pytest.raises(ConfigError, match="EXPORT_LEDGER_URL names a mysql database"):
        Ledger("mysql://root:secret@localhost/x")
