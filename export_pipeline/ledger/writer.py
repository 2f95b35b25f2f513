"""Group commit: work of many tasks shares a transaction, and so its fsync."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from export_pipeline.ledger.tx import Tx

GROUP_LIMIT = 256
"""Most pieces of work that one commit takes: bounds how long a single writer holds the lock."""


@dataclass(frozen=True)
class Piece:
    """Work for the writer, and the future of the task that waits for it."""

    work: Callable[[Tx], Any]
    future: asyncio.Future[Any]


_Ended = tuple[asyncio.Future[Any], Any, BaseException | None]


class Writer:
    """A thread that does work of many tasks in few transactions.

    Args:
        write: opens a writing transaction, which is durable once it is left.
    """

    def __init__(self, write: Callable[[], AbstractContextManager[Tx]]) -> None:
        self._write = write
        self._queue: SimpleQueue[Piece | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, piece: Piece) -> None:
        """Have the work done soon; its future tells how it ended."""
        self._queue.put(piece)

    def stop(self) -> None:
        """Do what was submitted, and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _loop(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            stopping = self._gather(batch)
            _tell(self._commit(batch))
            if stopping:
                return

    def _gather(self, batch: list[Piece]) -> bool:
        while len(batch) < GROUP_LIMIT:
            try:
                item = self._queue.get_nowait()
            except Empty:
                return False
            if item is None:
                return True
            batch.append(item)
        return False

    def _commit(self, batch: list[Piece]) -> list[_Ended]:
        wanted = [piece for piece in batch if not piece.future.cancelled()]
        try:
            with self._write() as tx:
                return [(piece.future, *_attempt(tx, piece.work)) for piece in wanted]
        except BaseException as error:  # noqa: BLE001 (each caller gets it)
            return [(piece.future, None, error) for piece in wanted]


def _attempt(tx: Tx, work: Callable[[Tx], Any]) -> tuple[Any, BaseException | None]:
    # By hand: SQLAlchemy's own savepoints cost as much as the work of a webhook.
    run = tx.connection.exec_driver_sql
    run("SAVEPOINT piece")
    try:
        value = work(tx)
    except BaseException as error:  # noqa: BLE001 (its caller gets it)
        run("ROLLBACK TO SAVEPOINT piece")
        run("RELEASE SAVEPOINT piece")
        return None, error
    run("RELEASE SAVEPOINT piece")
    return value, None


def _tell(outcomes: list[_Ended]) -> None:
    # Each wake-up of a loop is a write to a pipe: one per commit, not one per piece.
    by_loop: dict[asyncio.AbstractEventLoop, list[_Ended]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].get_loop(), []).append(outcome)
    for loop, its_own in by_loop.items():
        # A loop that was closed meanwhile has nobody left who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, its_own)


def _resolve(outcomes: list[_Ended]) -> None:
    for future, value, failure in outcomes:
        if future.done():
            continue
        if failure is not None:
            future.set_exception(failure)
        else:
            future.set_result(value)
