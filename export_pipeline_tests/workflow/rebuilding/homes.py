"""What tests of a rebuilding act on: an archive of all kinds, and what two ledgers know."""

from typing import Any

from export_pipeline.ledger import summary
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import QueueClass, ScanState
from export_pipeline.scans import ScanKey
from export_pipeline.workflow.history import History, read_history
from export_pipeline.workflow.rebuilding.rebuilt import Rebuilt
from export_pipeline.workflow.renew import renew_sealed
from export_pipeline_tests.archive.catalogs import rebuilt
from export_pipeline_tests.workflow.stepped import Stepped
from export_pipeline_tests.workflow.test_renew import BROKEN, bring_broken

HOSTILE = ('a/../b%2f;:"<x>', "..", "=2e", "ünï cödé", "x.y.", "Essay", "essay", "a b", "'--")


def again(home: Stepped, ledger: Ledger, **options: Any) -> Rebuilt:
    """Rebuild into a ledger from the home's store."""
    return rebuilt(ledger, home.store, **options)


def partial(home: Stepped, name: str, **known: Any) -> Any:
    """A scan of which one artifact never comes."""
    scan = home.ordered(name, **known)
    for _ in range(home.settings.attempts):
        order = home.newest(scan)
        home.upload(order, set(home.names(order)) - {BROKEN})
        home.complete(order, unhealthy={BROKEN})
        home.collect()
        home.send()
    assert home.scan(scan).state == ScanState.PARTIAL
    return home.scan(scan)


def renewed(home: Stepped, scan: Any) -> None:
    """Complete a partial scan in its second generation."""
    home.run(lambda pipeline: renew_sealed(pipeline, home.scan(scan), QueueClass.HAND))
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED


def archive_of_all_kinds(home: Stepped) -> None:
    """Hostile ids, two accounts, a partial bag, two generations, one that gave way unsealed."""
    for name in HOSTILE:
        home.archived(name, account="second" if name.startswith("=") else "default")
        home.now += 0.123456
    home.archived(HOSTILE[0], account="second", results=(), expires_at=home.now + 3600.5)
    partial(home, "partial")
    renewed(home, partial(home, "twice"))
    replaced = home.ordered("replaced")
    bring_broken(home, replaced)
    home.collect()
    home.send()
    home.deliver(home.newest(replaced))
    home.collect()
    assert home.scan(replaced).generation == 2
    home.archived("doubtful", enabled=None)


def histories(ledger: Ledger) -> dict[ScanKey, History]:
    with ledger.read() as tx:
        return {scan.key: read_history(tx, scan) for scan in summary.find_scans(tx)}
