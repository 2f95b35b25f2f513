"""The inventory: every object in the store against what the ledger knows, without reading any."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from export_pipeline.archive.fixity import FixityReport
from export_pipeline.archive.layout import INCOMING, prefix_of, read_prefix, seal_key
from export_pipeline.errors import BadInput
from export_pipeline.ledger import inventory
from export_pipeline.ledger.audits import SealedBag
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import GenerationState
from export_pipeline.scans import ScanKey
from export_pipeline.storage.store import Store
from export_pipeline.workflow.auditing.bags import every_bag
from export_pipeline.workflow.auditing.beside import Beside

LOOKED_UP_AT_ONCE = 1_000
"""Folders of bags, or staged objects, looked up in the ledger together."""
GONE_AUDITED = 1_000
"""Bags to be audited at once for being gone; if more are, it is rather the wrong store."""
MOST_COUNTED = 255
"""Sealed bags counted of one scan, which has a byte to count in."""


@dataclass
class Inventory:
    """What is in the store and not in the ledger, or the other way round.

    Args:
        unknown: folders of bags that the ledger does not know.
        strays: keys that belong to no bag and to nothing else of the archive.
        beside: holds that only one of ledger and store has, and tombstones that the ledger lacks,
            a sentence each.
        leftovers: keys below `.incoming/` of orders that are closed.
        gone: bags of scans of which fewer seals were listed than the ledger has: to be audited.
        more_gone: how many more of them there are.
    """

    unknown: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    gone: list[SealedBag] = field(default_factory=list)
    more_gone: int = 0

    @property
    def problems(self) -> list[str]:
        """What is in the store and should not be, a sentence each; what is gone, an audit tells."""
        return [
            *(
                f"{one} is the folder of a bag that the ledger does not know: `export-pipeline"
                " catalog rebuild` takes it in if it is sealed; else delete it"
                for one in self.unknown
            ),
            *(f"{one} belongs to no bag: delete it, or move it out" for one in self.strays),
            *self.beside,
            *(f"{one} was left by a closed order: delete it" for one in self.leftovers),
            *(_doubt(count) for count in (self.more_gone,) if count),
        ]


def _doubt(count: int) -> str:
    return (
        f"{count:,} more bags of the ledger are not in the store: does EXPORT_STORAGE_URL name"
        " the right place?"
    )


async def take_inventory(ledger: Ledger, store: Store) -> Inventory:
    """List the whole store once; memory is a byte per scan, holds, tombstones and what is wrong.

    Raises:
        StoreError: the store cannot be listed.
    """
    taking = _Taking(ledger, await ledger.look(inventory.last_scan_id))
    async for stored in store.list():
        await taking.see(stored.key)
    return await taking.end(store)


async def note_problems(ledger: Ledger, found: Inventory, report: FixityReport) -> None:
    """Have people told what no sealed bag tells: an inventory's problems, and unreadable bags."""
    unread = [f"{one.prefix}: {one.unread}" for one in report.failed if one.unread]
    await ledger.apply(inventory.note, [*found.problems, *unread])


class _Taking:
    """An inventory under way."""

    def __init__(self, ledger: Ledger, last_scan_id: int) -> None:
        self._ledger = ledger
        self._seals = bytearray(last_scan_id + 1)
        """How many seals were listed of each scan, by its row id."""
        self._folders: dict[str, bool] = {}
        """Folders of bags to look up: whether the seal was listed."""
        self._staged: list[str] = []
        self._beside = Beside()
        self._found = Inventory()

    async def see(self, key: str) -> None:
        """Take in one object."""
        if key.startswith(INCOMING):
            self._staged.append(key)
        elif (prefix := prefix_of(key)) is not None:
            # Objects of one folder are listed together, so those held are complete.
            if prefix not in self._folders and len(self._folders) >= LOOKED_UP_AT_ONCE:
                await self._look_up_folders()
            self._folders[prefix] = self._folders.get(prefix, False) or key == seal_key(prefix)
        elif not self._beside.see(key):
            self._found.strays.append(key)
        if len(self._staged) >= LOOKED_UP_AT_ONCE:
            await self._look_up_staged()

    async def end(self, store: Store) -> Inventory:
        """Compare what was listed with what the ledger calls sealed."""
        await self._look_up_folders()
        await self._look_up_staged()
        self._found.beside = await self._beside.problems(self._ledger, store)
        of_one_scan: list[SealedBag] = []
        async for bag in every_bag(self._ledger):
            if of_one_scan and of_one_scan[0].scan_id != bag.scan_id:
                self._compare(of_one_scan)
                of_one_scan = []
            of_one_scan.append(bag)
        self._compare(of_one_scan)
        return self._found

    async def _look_up_folders(self) -> None:
        bags = {prefix: _read(prefix) for prefix in self._folders}
        names = [name for name in bags.values() if name is not None]
        known = await self._ledger.look(inventory.states, names)
        for prefix, name in bags.items():
            scan_id, state = known.get(name, (0, None)) if name is not None else (0, None)
            if state is None:
                self._found.unknown.append(prefix)
            elif state == GenerationState.SEALED and self._folders[prefix]:
                self._count_seal(scan_id)
        self._folders = {}

    def _count_seal(self, scan_id: int) -> None:
        # A scan that was registered since the inventory began is not judged.
        if scan_id < len(self._seals):
            self._seals[scan_id] = min(self._seals[scan_id] + 1, MOST_COUNTED)

    async def _look_up_staged(self) -> None:
        by_order = {key: key.removeprefix(INCOMING).partition("/")[0] for key in self._staged}
        is_open = await self._ledger.look(inventory.open_orders, sorted(set(by_order.values())))
        self._found.leftovers += [key for key, order in by_order.items() if order not in is_open]
        self._staged = []

    def _compare(self, bags: Sequence[SealedBag]) -> None:
        scan_id = bags[0].scan_id if bags else len(self._seals)
        listed = self._seals[scan_id] if scan_id < len(self._seals) else MOST_COUNTED
        if listed < min(len(bags), MOST_COUNTED):
            kept = bags[: GONE_AUDITED - len(self._found.gone)]
            self._found.gone += kept
            self._found.more_gone += len(bags) - len(kept)


def _read(prefix: str) -> tuple[ScanKey, int] | None:
    try:
        return read_prefix(prefix)
    except BadInput:
        return None
