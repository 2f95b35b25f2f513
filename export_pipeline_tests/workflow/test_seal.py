"""The seal: what the bag says, and that a failing store only delays it."""

import json
from collections.abc import AsyncIterable
from hashlib import sha256
from pathlib import Path

import bagit
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from export_pipeline.errors import StoreUnavailable
from export_pipeline.ledger import generations, orders, registry
from export_pipeline.ledger.rows import ScanState
from export_pipeline.sandbox import ScanSpec
from export_pipeline.signing_keys import key_id
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject
from export_pipeline_tests.archive.signing import private_pem
from export_pipeline_tests.workflow.stepped import SINGLES, Stepped, stepped
from export_pipeline_tests.workflow.world import World

HOSTILE = 'a/../b%2f;:"<x>'


class StoreWithout(LocalStore):
    """A store that does not take one tag file."""

    def __init__(self, home: Stepped, name: str) -> None:
        super().__init__(home.home / "archive")
        self._name = name

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        if key.endswith(self._name):
            raise StoreUnavailable(f"the store does not take {key}")
        return await super().put(key, chunks, content_type=content_type)


def test_the_bag_is_valid_for_any_bagit_reader(home: Stepped) -> None:
    scan = home.archived("essay")
    bag = bagit.Bag(str(home.folder(scan)))
    bag.validate()
    assert bag.info["External-Identifier"] == "essay"
    assert bag.info["Export-Verdict"] == "archived"
    assert "Export-Missing" not in bag.info


@pytest.mark.parametrize(
    "name", ["bag-info.txt", "provenance.json", "manifest-sha256.txt", "tagmanifest-sha256.txt"]
)
def test_a_seal_that_the_store_interrupts_is_finished_by_the_reconciler(
    home: Stepped, name: str
) -> None:
    scan = home.ordered("essay")
    home.deliver(home.newest(scan))
    home.collect(store=StoreWithout(home, name))
    assert home.scan(scan).state == ScanState.ORDERED
    assert home.events(scan)[-1] == "not sealed yet"
    assert home.history(scan)[-1].detail["reason"].startswith("the store does not take")
    with pytest.raises(StoreUnavailable):
        home.reconcile(store=StoreWithout(home, name))
    home.reconcile()
    assert home.scan(scan).state == ScanState.ARCHIVED
    bagit.Bag(str(home.folder(scan))).validate()


def test_an_answer_that_comes_after_the_freeze_does_not_change_the_bag(home: Stepped) -> None:
    """The request id of a late answer once made the second try differ from the first for ever."""
    scan = home.ordered("essay")
    [order] = home.orders(scan)
    home.deliver(order)
    home.collect(store=StoreWithout(home, "tagmanifest-sha256.txt"))
    late = {"request_id": "late", "vendor_order": None, "look_after": home.now}
    home.write(orders.accepted, order.id, **late)
    home.reconcile()
    assert home.scan(scan).state == ScanState.ARCHIVED


def test_what_a_webhook_tells_after_the_freeze_does_not_change_the_bag(home: Stepped) -> None:
    scan = home.ordered("essay")
    home.deliver(home.newest(scan))
    home.collect(store=StoreWithout(home, "tagmanifest-sha256.txt"))
    more = {"total_words": 7}
    home.write(registry.register, scan.key, source="test", details=more, expires_at=home.now)
    home.reconcile()
    assert home.scan(scan).state == ScanState.ARCHIVED
    told = json.loads((home.folder(scan) / "provenance.json").read_text())
    assert told["details"] == scan.details
    assert told["expires_at"] is None


def test_a_store_that_fails_at_one_seal_keeps_no_other_from_being_sealed(home: Stepped) -> None:
    scans = [home.ordered(f"essay-{number}") for number in range(3)]
    for scan in scans:
        home.deliver(home.newest(scan))
    home.collect(store=StoreWithout(home, "bag-info.txt"))
    with pytest.raises(StoreUnavailable):
        home.reconcile(store=StoreWithout(home, "essay-1/1/bag-info.txt"))
    states = [home.scan(scan).state for scan in scans]
    assert states == [ScanState.ARCHIVED, ScanState.ORDERED, ScanState.ARCHIVED]


def test_what_comes_after_it_was_given_up_is_not_left_in_the_bag(home: Stepped) -> None:
    """A straggler between the last look and the seal made the bag invalid."""
    scan = home.ordered("essay")
    for _ in range(home.settings.attempts):
        order = home.newest(scan)
        home.upload(order, set(home.names(order)) - {"overview.json"})
        home.complete(order, unhealthy=["overview.json"])
        is_last = order.attempt == home.settings.attempts
        home.collect(store=StoreWithout(home, "bag-info.txt")) if is_last else home.collect()
        home.send()
    home.put(home.artifacts(scan)["overview.json"])
    home.reconcile()
    assert home.scan(scan).state == ScanState.PARTIAL
    assert home.stored(scan) == home.recorded(scan)
    bagit.Bag(str(home.folder(scan))).validate()


def test_a_scan_without_result_ids_is_partial_and_says_what_to_do(home: Stepped) -> None:
    scan = home.archived("essay", results=None)
    assert scan.state == ScanState.PARTIAL
    assert "export-pipeline inbox import" in scan.reason
    assert len(home.stored(scan)) == len(SINGLES)


@pytest.fixture(scope="module")
def hostile(one_world: World) -> World:
    [scan] = one_world.archive([ScanSpec(HOSTILE, results=2, traits=("lost_answer:overview",))])
    assert scan.state == ScanState.ARCHIVED, scan.reason
    return one_world


def test_a_hostile_id_stays_within_its_folder(hostile: World) -> None:
    root = hostile.home / "archive"
    assert hostile.bag(HOSTILE).is_relative_to(root / "copyleaks" / "default")
    assert hostile.bag(HOSTILE).resolve().parts[-2].count("/") == 0
    bag = bagit.Bag(str(hostile.bag(HOSTILE)))
    bag.validate()
    assert bag.info["External-Identifier"] == HOSTILE
    assert hostile.stored(HOSTILE) == hostile.recorded(HOSTILE)


def test_provenance_names_no_endpoint_no_token_and_no_address(hostile: World) -> None:
    text = (hostile.bag(HOSTILE) / "provenance.json").read_text()
    [order] = hostile.orders(HOSTILE)
    targets = [hostile.addresses.order_webhook(order)]
    targets += [hostile.addresses.upload(order.id, name) for name in hostile.artifacts(HOSTILE)]
    for target in targets:
        assert target.url not in text
        assert not [value for _, value in target.headers if value in text]
    assert "http" not in text
    assert hostile.environment["EXPORT_COPYLEAKS_KEY"] not in text


def test_provenance_tells_orders_artifacts_and_events(hostile: World) -> None:
    told = json.loads((hostile.bag(HOSTILE) / "provenance.json").read_text())
    assert told["scan"] == HOSTILE
    assert [one["attempt"] for one in told["orders"]] == [1]
    assert {one["state"] for one in told["artifacts"]} == {"verified"}
    assert [one["event"] for one in told["events"]][-1] == "frozen"


def test_2300_results_of_the_vendor_come_into_one_bag(one_world: World) -> None:
    spec = ScanSpec("thesis", results=2_300, artifacts=("crawledVersion",), sizes={"results": 700})
    [scan] = one_world.archive([spec])
    assert scan.state == ScanState.ARCHIVED, scan.reason
    assert [len(one) for one in sorted(one_world.ordered("thesis"), key=len)] == [300, 1_000, 1_001]
    assert len(one_world.stored("thesis")) == 2_301


def test_with_a_signing_key_the_bag_is_signed_and_the_ledger_knows_its_seal(
    tmp_path: Path,
) -> None:
    key = Ed25519PrivateKey.generate()
    with stepped(tmp_path, signing_key=SecretStr(private_pem(key))) as home:
        scan = home.archived("essay")
        seal = (home.folder(scan) / "tagmanifest-sha256.txt").read_bytes()
        signature = (home.folder(scan) / "tagmanifest-sha256.txt.sig").read_bytes()
        key.public_key().verify(signature, seal)
        info = bagit.Bag(str(home.folder(scan))).info
        assert info["Export-Signing-Key"] == key_id(key.public_key())
        with home.ledger.read() as tx:
            assert generations.get(tx, scan.id, 1).seal_sha256 == sha256(seal).hexdigest()
