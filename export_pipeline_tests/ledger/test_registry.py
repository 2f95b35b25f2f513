import pytest

from export_pipeline.errors import UnknownScan
from export_pipeline.ledger import events, registry
from export_pipeline.ledger.database import KEYS_PER_QUERY, Ledger, Tx
from export_pipeline.ledger.rows import Scan, ScanState
from export_pipeline.scans import ScanKey
from export_pipeline_tests.ledger.conftest import SteppedClock


def key(name: str, account: str = "default") -> ScanKey:
    return ScanKey("copyleaks", account, name)


def register(tx: Tx, *names: str) -> list[Scan]:
    return [registry.register(tx, key(name), source="test")[0] for name in names]


def test_registering_the_same_again_changes_nothing(ledger: Ledger, clock: SteppedClock) -> None:
    told = {"ids": ("a", "b"), "pages": None, "source": {"words": 3}}
    with ledger.write() as tx:
        first, changed = registry.register(
            tx, key("one"), source="webhook", details=told, expires_at=5.5
        )
        assert changed
    clock.step(60)
    with ledger.write() as tx:
        for again in (told, {"pages": None}, None):
            assert registry.register(
                tx, key("one"), source="import", details=again, expires_at=5.5
            ) == (first, False)
        assert registry.register(tx, key("one"), source="import") == (first, False)
        assert [event.event for event in events.history(tx, first.id)] == ["registered"]


def test_registering_again_adds_what_is_new_and_unlearns_nothing(ledger: Ledger) -> None:
    with ledger.write() as tx:
        registry.register(tx, key("one"), source="import", details={"a": 1, "b": 2})
        scan, changed = registry.register(
            tx, key("one"), source="webhook", details={"a": None, "b": 3, "c": 4}, expires_at=9.0
        )
        assert changed
        assert (scan.details, scan.expires_at) == ({"a": 1, "b": 3, "c": 4}, 9.0)
        assert scan.source == "import"
        assert [event.event for event in events.history(tx, scan.id)] == [
            "registered",
            "registered again",
        ]


def test_a_scan_is_found_by_its_whole_name(ledger: Ledger) -> None:
    hostile = key("a/../b%2f;:\"<x>'")
    with ledger.write() as tx:
        scan, _ = registry.register(tx, hostile, source="test")
        assert registry.get(tx, hostile) == registry.by_id(tx, scan.id) == scan
        assert scan.key == hostile
        assert registry.find(tx, key(hostile.scan, "other")) is None
        with pytest.raises(UnknownScan, match="no scan 'two' of copyleaks account 'default'"):
            registry.get(tx, key("two"))


def test_many_scans_are_found_at_once_over_accounts_and_beyond_one_query(ledger: Ledger) -> None:
    keys = [key(f"scan {number}") for number in range(KEYS_PER_QUERY + 1)]
    keys += [key("scan 0", "other"), ScanKey("laserfiche", "default", "scan 0")]
    with ledger.write() as tx:
        for one in keys:
            registry.register(tx, one, source="test")
        registry.register(tx, key("not asked for"), source="test")
        found = registry.find_many(tx, [*keys, key("unknown"), key("scan 1", "other")])
        assert set(found) == set(keys)
        assert all(scan.key == one for one, scan in found.items())
        assert registry.find_many(tx, []) == {}


def test_what_is_told_of_one_artifact_leaves_the_others_known(ledger: Ledger) -> None:
    """An import line that says one flag once took away what the webhook had said of the rest."""
    key = ScanKey("copyleaks", "default", "essay")
    with ledger.write() as tx:
        details = {"enabled": {"pdf_report": True, "overview": False}}
        registry.register(tx, key, source="webhook", details=details)
        told = {"enabled": {"overview": True, "pdf_report": None}}
        scan, changed = registry.register(tx, key, source="import", details=told)
    assert changed
    assert scan.details == {"enabled": {"pdf_report": True, "overview": True}}


def test_scans_are_paged_by_state_in_order_of_registration(ledger: Ledger) -> None:
    with ledger.write() as tx:
        one, two, three = register(tx, "one", "two", "three")
        registry.settle(tx, two.id, ScanState.FAILED, "no credentials")
        states = [ScanState.REGISTERED]
        assert [scan.id for scan in registry.page(tx, "copyleaks", states)] == [one.id, three.id]
        assert [scan.id for scan in registry.page(tx, None, states, after=one.id)] == [three.id]
        assert registry.page(tx, "laserfiche", states) == []
        assert registry.by_id(tx, two.id).reason == "no credentials"
        assert registry.count_by_state(tx, "copyleaks") == {"registered": 2, "failed": 1}


def test_what_the_vendor_deletes_first_comes_first_and_unknown_ends_last(ledger: Ledger) -> None:
    with ledger.write() as tx:
        for name, end in (("never", None), ("late", 99.0), ("soon", 9.0), ("ordered", 1.0)):
            registry.register(tx, key(name), source="test", expires_at=end)
        registry.set_generation(tx, registry.get(tx, key("ordered")).id, 1)
        found = registry.soonest_to_expire(tx, "copyleaks", 10)
    assert [scan.scan for scan in found] == ["soon", "late", "never"]
