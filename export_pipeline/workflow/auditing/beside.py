"""What lies in the store beside the bags, against what belongs there and the ledger knows."""

import re

from export_pipeline.archive.holds import hold_key
from export_pipeline.archive.layout import (
    CATALOG_FOLDER,
    FIXITY_FOLDER,
    HOLD_FOLDER,
    REPORT_FOLDER,
    TOMBSTONE_FOLDER,
)
from export_pipeline.ledger import holds, tombstones
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.scans import ScanKey
from export_pipeline.storage.probe import PROBE_FOLDER
from export_pipeline.storage.store import Store

_DATED = r"\d{4}-\d\d-\d\dt\d{6}-[^/]+"
_WRITTEN = re.compile(
    rf"(?:{CATALOG_FOLDER}|{FIXITY_FOLDER}){_DATED}\.parquet|{REPORT_FOLDER}{_DATED}\.html"
    rf"|{re.escape(PROBE_FOLDER)}.+"
)
"""Tables, report pages, and what lies there while `check` runs."""
_TOMBSTONE = re.compile(rf"{TOMBSTONE_FOLDER}([0-9a-f]{{64}})\.json")
_TAKES_IN = "that the ledger does not know: `export-pipeline catalog rebuild` takes it in"


class Beside:
    """Holds and tombstones that were listed; memory is that of their keys."""

    def __init__(self) -> None:
        self._holds: set[str] = set()
        self._digests: list[str] = []

    def see(self, key: str) -> bool:
        """Take in one object; whether it belongs there."""
        if tombstone := _TOMBSTONE.fullmatch(key):
            self._digests.append(tombstone[1])
        elif key.startswith(HOLD_FOLDER) and key.endswith(".json"):
            self._holds.add(key)
        else:
            return _WRITTEN.fullmatch(key) is not None
        return True

    async def problems(self, ledger: Ledger, store: Store) -> list[str]:
        """Holds that only one of ledger and store has, and tombstones that the ledger lacks.

        A sentence each. A hold that was placed or released since it was listed is looked for once
        more. Tombstones that the store lacks are not looked for: in the ledger, the digests of
        scans cannot be told from those of orders, which the store never has.
        """
        noted = await ledger.look(tombstones.noted, self._digests)
        found = [
            f"{TOMBSTONE_FOLDER}{digest}.json is a tombstone {_TAKES_IN}"
            for digest in self._digests
            if digest not in noted
        ]
        known = await ledger.look(_hold_keys)
        found += [
            f"{key} is a hold {_TAKES_IN}"
            for key in sorted(self._holds - known)
            if await store.stat(key) is not None
        ]
        found += [
            f"{key} is missing, so that only the ledger knows this hold: place it again with"
            " `export-pipeline hold`"
            for key in sorted(known - self._holds)
            if await store.stat(key) is None
        ]
        return found


def _hold_keys(tx: Tx) -> set[str]:
    keys: set[str] = set()
    after: ScanKey | None = None
    while page := holds.page(tx, after=after):
        keys.update(hold_key(one.key) for one in page)
        after = page[-1].key
    return keys
