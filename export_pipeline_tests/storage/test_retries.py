import asyncio
from collections.abc import Sequence

import pytest

from export_pipeline.errors import AlreadyExists, NotFound, StoreUnavailable
from export_pipeline.storage.http import Answer
from export_pipeline.storage.retries import (
    ATTEMPTS,
    LONGEST_PAUSE_SECONDS,
    LONGEST_RETRY_AFTER_SECONDS,
    Busy,
    MaybeOurs,
    Retries,
    patient,
)


class Calls:
    """Raises one error after the other, then succeeds; notes how long was waited between."""

    def __init__(self, errors: Sequence[Exception]) -> None:
        self._errors = list(errors)
        self.pauses: list[float] = []

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def _attempt(self) -> str:
        if self._errors:
            raise self._errors.pop(0)
        return "done"

    def run(self) -> str:
        return asyncio.run(Retries(self._sleep).call(self._attempt))


def busy(retry_after: str) -> Busy:
    error = Busy("later")
    patient(error, Answer(503, {"retry-after": retry_after}))
    return error


def test_what_may_pass_is_tried_again_after_pauses_and_not_for_ever() -> None:
    calls = Calls([StoreUnavailable("cut")] * (ATTEMPTS - 1))
    assert calls.run() == "done"
    assert len(calls.pauses) == ATTEMPTS - 1
    assert all(0 < pause <= LONGEST_PAUSE_SECONDS for pause in calls.pauses)
    last = StoreUnavailable("the last")
    with pytest.raises(StoreUnavailable, match="the last"):
        Calls([*[StoreUnavailable("cut")] * (ATTEMPTS - 1), last]).run()


def test_what_will_not_pass_is_tried_once() -> None:
    calls = Calls([NotFound("gone")])
    with pytest.raises(NotFound, match="gone"):
        calls.run()
    assert calls.pauses == []


def test_an_object_that_is_there_may_be_ours_only_after_a_try_whose_end_is_unknown() -> None:
    with pytest.raises(AlreadyExists) as first:
        Calls([AlreadyExists("taken")]).run()
    assert not isinstance(first.value, MaybeOurs)
    with pytest.raises(MaybeOurs, match="taken"):
        Calls([StoreUnavailable("cut"), AlreadyExists("taken")]).run()


def test_a_store_is_left_alone_for_as_long_as_it_asks_within_bounds() -> None:
    calls = Calls([busy("20"), busy("Sun, 22 Nov 2026 00:00:00 GMT")])
    assert calls.run() == "done"
    assert calls.pauses[0] == 20.0
    assert calls.pauses[1] <= LONGEST_PAUSE_SECONDS
    too_long = Calls([busy(f"{LONGEST_RETRY_AFTER_SECONDS + 1:.0f}")])
    with pytest.raises(StoreUnavailable, match="later"):
        too_long.run()
    assert too_long.pauses == []
