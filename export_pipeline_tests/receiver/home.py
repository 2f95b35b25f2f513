"""A home with a ledger, a store and one order, as the receiver finds them."""

from dataclasses import dataclass
from pathlib import Path

from export_pipeline.archive.layout import bag_prefix, payload_key
from export_pipeline.ledger import artifacts, generations, orders, registry, schema
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import Artifact, Order, QueueClass
from export_pipeline.scans import ScanKey
from export_pipeline.storage.local import LocalStore


@dataclass(frozen=True)
class Home:
    """What a test needs to prepare and to look at."""

    path: Path
    ledger: Ledger
    store: LocalStore

    def order(self, scan: str, names: list[str]) -> Order:
        """Order these artifacts of a new scan."""
        with self.ledger.write() as tx:
            return _order(tx, ScanKey("copyleaks", "default", scan), names)

    def artifact(self, order: Order, name: str) -> Artifact:
        """What the ledger says of the artifact."""
        with self.ledger.read() as tx:
            found = artifacts.find(tx, order.id, name)
        assert found is not None
        return found

    def key(self, order: Order, name: str) -> str:
        """Where the artifact belongs."""
        with self.ledger.read() as tx:
            scan = registry.by_id(tx, order.scan_id)
        return payload_key(bag_prefix(scan.key, order.generation), name)

    def files(self) -> list[str]:
        """Every file below the store's root, half-written ones too, as paths relative to it."""
        root = self.path / "archive"
        return sorted(str(f.relative_to(root)) for f in root.rglob("*") if f.is_file())

    def content(self, key: str) -> bytes:
        """The bytes of an object."""
        return (self.path / "archive" / key).read_bytes()


def make_home(path: Path) -> Home:
    """Make a home with an empty ledger and store."""
    path.mkdir(exist_ok=True)
    ledger = Ledger(f"sqlite:///{path / 'ledger.sqlite'}")
    with ledger.write() as tx:
        schema.metadata.create_all(tx.connection)
    return Home(path, ledger, LocalStore(path / "archive"))


def _order(tx: Tx, key: ScanKey, names: list[str]) -> Order:
    scan, _ = registry.register(tx, key, source="test")
    number = generations.open_next(tx, scan, wants_bag=True)
    artifacts.insert(tx, [_expected(scan.id, number, name) for name in names])
    order_id = orders.insert(tx, scan, generation=number, attempt=1, queue_class=QueueClass.HAND)
    artifacts.assign(tx, scan.id, number, names, order_id)
    order = orders.get(tx, order_id)
    assert order is not None
    return order


def _expected(scan_id: int, generation: int, name: str) -> dict[str, object]:
    return {
        "scan_id": scan_id,
        "generation": generation,
        "name": name,
        "kind": "results",
        "vendor_name": "",
        "availability": "expected",
        "state": "expected",
        "reason": "",
    }
