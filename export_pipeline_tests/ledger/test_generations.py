from export_pipeline.ledger import generations, registry
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import GenerationState, Scan, ScanState
from export_pipeline.scans import ScanKey

SEAL = "5" * 64


def test_generations_are_numbered_from_one_and_the_newest_is_current(
    ledger: Ledger, scan: Scan
) -> None:
    with ledger.write() as tx:
        assert generations.current(tx, scan) is None
        assert generations.open_next(tx, scan, wants_bag=False) == 1
        ordered = registry.by_id(tx, scan.id)
        assert (ordered.generation, ordered.state) == (1, ScanState.ORDERED)
        assert generations.open_next(tx, ordered, wants_bag=True) == 2
        first = generations.find(tx, scan.id, 1)
        current = generations.current(tx, registry.by_id(tx, scan.id))
    assert first is not None
    assert not first.wants_bag
    assert current is not None
    assert (current.number, current.wants_bag, current.state) == (2, True, GenerationState.OPEN)


def test_a_bag_can_be_wanted_later(ledger: Ledger, scan: Scan) -> None:
    with ledger.write() as tx:
        generations.open_next(tx, scan, wants_bag=False)
        generations.want_bag(tx, scan.id, 1)
        found = generations.find(tx, scan.id, 1)
    assert found is not None
    assert found.wants_bag


def test_a_frozen_generation_keeps_its_contents_and_is_sealed_once(
    ledger: Ledger, scan: Scan
) -> None:
    with ledger.write() as tx:
        generations.open_next(tx, scan, wants_bag=True)
        assert not generations.sealed(tx, scan.id, 1, SEAL)
        generations.freeze(tx, scan.id, 1, "archived", 6, 120_000)
        generations.freeze(tx, scan.id, 1, "partial", 5, 1)
        assert generations.totals(tx) == (0, 0)
        assert generations.sealed(tx, scan.id, 1, SEAL)
        assert not generations.sealed(tx, scan.id, 1, SEAL)
        assert generations.totals(tx) == (6, 120_000)
        found = generations.find(tx, scan.id, 1)
    assert found is not None
    assert (found.verdict, found.state) == ("archived", GenerationState.SEALED)
    assert found.seal_sha256 == SEAL


def test_the_vendors_interrupted_seals_are_found(ledger: Ledger, scan: Scan) -> None:
    with ledger.write() as tx:
        other, _ = registry.register(tx, ScanKey("laserfiche", "default", "7"), source="test")
        for one in (scan, other):
            generations.open_next(tx, one, wants_bag=True)
            generations.freeze(tx, one.id, 1, "archived", 1, 1)
        generations.open_next(tx, registry.by_id(tx, scan.id), wants_bag=True)
        assert generations.unsealed(tx, "copyleaks", 10) == [(scan.id, 1)]
        generations.sealed(tx, scan.id, 1, SEAL)
        assert generations.unsealed(tx, "copyleaks", 10) == []
        assert generations.unsealed(tx, "laserfiche", 10) == [(other.id, 1)]
