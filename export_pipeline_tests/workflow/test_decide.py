"""What follows from what was seen, on plain values."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_pipeline.ledger.rows import Artifact, ArtifactState
from export_pipeline.vendors.artifacts import Availability
from export_pipeline.workflow.decide import (
    UNKNOWN_ATTEMPTS,
    after_refusal,
    after_undelivered,
    all_settled,
    kinds_settled,
    spent,
)

EXPECTED, UNKNOWN = Availability.EXPECTED, Availability.UNKNOWN


def artifact(
    name: str,
    availability: Availability = EXPECTED,
    state: ArtifactState = ArtifactState.EXPECTED,
    kind: str | None = None,
) -> Artifact:
    return Artifact(
        scan_id=1,
        generation=1,
        name=name,
        kind=kind or name,
        vendor_name="",
        availability=availability,
        state=state,
        reason="",
        order_id="order",
        size=None,
        sha256=None,
        content_type=None,
        checksum=None,
        details=None,
        delivered_at=None,
        verified_at=None,
    )


orders = st.lists(
    st.builds(artifact, st.sampled_from("abcdefgh"), st.sampled_from([EXPECTED, UNKNOWN])),
    min_size=1,
    unique_by=lambda one: one.name,
)


def names(artifacts: Sequence[Artifact]) -> list[str]:
    return [one.name for one in artifacts]


@pytest.mark.parametrize(
    ("attempt", "is_spent"),
    [(1, False), (2, False), (3, True), (4, False), (6, True)],
    ids=["first", "second", "last", "first of a retry by hand", "last of a retry by hand"],
)
def test_every_series_of_attempts_ends_at_its_last(attempt: int, is_spent: bool) -> None:
    assert spent(attempt, 3) is is_spent


@pytest.mark.parametrize(
    ("availability", "attempt", "others_arrived", "becomes"),
    [
        (EXPECTED, 1, True, "again"),
        (EXPECTED, 2, False, "again"),
        (EXPECTED, 3, True, "missing"),
        (UNKNOWN, 1, True, "again"),
        (UNKNOWN, UNKNOWN_ATTEMPTS, True, "absent"),
        # Nothing at all came: our own receiver may have been out of reach.
        (UNKNOWN, UNKNOWN_ATTEMPTS, False, "again"),
        (UNKNOWN, 3, False, "missing"),
        (UNKNOWN, 3, True, "absent"),
    ],
)
def test_what_did_not_come_is_ordered_again_until_the_attempts_are_spent(
    availability: Availability, attempt: int, others_arrived: bool, becomes: str
) -> None:
    one = artifact("pdf", availability)
    step = after_undelivered([one], attempt=attempt, attempts=3, others_arrived=others_arrived)
    assert getattr(step, becomes) == (one,)


@pytest.mark.parametrize("availability", [EXPECTED, UNKNOWN])
def test_what_our_own_store_refused_costs_no_attempt(availability: Availability) -> None:
    one = replace(artifact("pdf", availability), reason="our store refused the upload: it is full")
    assert after_undelivered([one], attempt=3, attempts=3, others_arrived=True).again == (one,)


@given(orders, st.integers(1, 9), st.integers(1, 4), st.booleans())
def test_whatever_did_not_come_gets_exactly_one_next_step(
    undelivered: list[Artifact], attempt: int, attempts: int, arrived: bool
) -> None:
    step = after_undelivered(
        undelivered, attempt=attempt, attempts=attempts, others_arrived=arrived
    )
    assert sorted(names([*step.again, *step.absent, *step.missing])) == sorted(names(undelivered))


def test_a_refusal_that_names_a_kind_settles_it_and_orders_the_rest() -> None:
    pdf, text = artifact("pdf", UNKNOWN), artifact("text")
    step, again = after_refusal([pdf, text], ["pdf"])
    assert step.absent == (pdf,)
    assert again == [[text]]


def test_a_named_kind_that_the_scan_should_have_is_missing_and_not_absent() -> None:
    pdf, text = artifact("pdf"), artifact("text")
    step, _ = after_refusal([pdf, text], ["pdf"])
    assert step.missing == (pdf,)


def test_results_that_are_singled_out_are_blamed_and_no_others_of_their_kind() -> None:
    pdf, text = artifact("pdf", UNKNOWN), artifact("text")
    first, second = (
        replace(artifact(f"results/{one}", kind="results"), vendor_name=one) for one in ("1", "2")
    )
    step, again = after_refusal([pdf, text, first, second], ["results", "pdf"], ["2"])
    assert step.missing == (second,)
    assert step.absent == (pdf,)
    assert again == [[text, first]]


def test_a_refusal_that_names_nothing_costs_no_artifact() -> None:
    certain = [artifact("text"), artifact("results")]
    uncertain = [artifact("pdf", UNKNOWN), artifact("ai", UNKNOWN)]
    step, again = after_refusal([*certain, *uncertain], [])
    assert (step.absent, step.missing) == ((), ())
    assert again == [certain, [uncertain[0]], [uncertain[1]]]


def test_a_refusal_of_certain_artifacts_only_is_the_last_word() -> None:
    step, again = after_refusal([artifact("text"), artifact("results")], [])
    assert names(step.missing) == ["text", "results"]
    assert again == []


def test_an_uncertain_artifact_refused_alone_is_absent() -> None:
    step, again = after_refusal([artifact("pdf", UNKNOWN)], [])
    assert names(step.absent) == ["pdf"]
    assert again == []


@given(orders, st.sets(st.sampled_from("abcdefgh")))
def test_after_a_refusal_everything_is_settled_or_in_a_smaller_order(
    ordered: list[Artifact], blamed: set[str]
) -> None:
    """So however often the vendor refuses, it ends."""
    step, again = after_refusal(ordered, sorted(blamed))
    together = [*step.absent, *step.missing, *(one for part in again for one in part)]
    assert sorted(names(together)) == sorted(names(ordered))
    assert not step.again
    assert all(0 < len(part) < len(ordered) for part in again)


@pytest.mark.parametrize("state", sorted(set(ArtifactState) - {ArtifactState.EXPECTED}))
def test_nothing_more_is_expected_of_a_settled_artifact(state: ArtifactState) -> None:
    assert all_settled([artifact("pdf", state=state)])
    assert not all_settled([artifact("pdf", state=state), artifact("text")])


def test_a_kind_is_shown_once_each_of_its_files_is_settled() -> None:
    every = [
        artifact("r1", state=ArtifactState.VERIFIED, kind="results"),
        artifact("r2", kind="results"),
        artifact("pdf", state=ArtifactState.ABSENT),
        artifact("ai", state=ArtifactState.BROKEN),
        artifact("text", state=ArtifactState.VERIFIED),
    ]
    assert kinds_settled(every, ["results", "pdf", "pdf", "ai"]) == ["pdf"]
