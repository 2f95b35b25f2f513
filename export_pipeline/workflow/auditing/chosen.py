"""What a person asks to have verified, as bags."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from random import Random

from export_pipeline.errors import BadInput, UnknownScan
from export_pipeline.ledger import audits
from export_pipeline.ledger.audits import SealedBag
from export_pipeline.ledger.database import Ledger
from export_pipeline.workflow.auditing.bags import each, every_bag, part_of, sample
from export_pipeline.workflow.history import find_named


@dataclass(frozen=True)
class Wanted:
    """Which bags: those of the scans named; without names all, or a part of all.

    Args:
        names: of scans, as `find_named` takes them.
        percent: how large the part is, None for all.
        seed: what the part is drawn by.
        newest: only the newest generation of each scan.
        vendor: only scans of this vendor.
        account: only scans of this account.
    """

    names: Sequence[str] = ()
    percent: float | None = None
    seed: int = 0
    newest: bool = False
    vendor: str | None = None
    account: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether no scan is left out."""
        return not (self.names or self.percent or self.vendor or self.account)


@dataclass(frozen=True)
class Chosen:
    """The bags, how many they are, and in words why a scan that was named has none."""

    bags: AsyncIterator[SealedBag]
    count: int
    unsealed: Sequence[str] = ()


async def choose(ledger: Ledger, wanted: Wanted) -> Chosen:
    """Find the bags."""
    if wanted.names:
        return await _of_scans(ledger, wanted)
    newest, vendor, account = wanted.newest, wanted.vendor, wanted.account
    count = await ledger.look(audits.count, newest=newest, vendor=vendor, account=account)
    bags = every_bag(ledger, newest=newest, vendor=vendor, account=account)
    if wanted.percent is None:
        return Chosen(bags, count)
    part = part_of(count, wanted.percent)
    return Chosen(sample(bags, count, part, Random(wanted.seed)), part)  # noqa: S311  no secret


async def _of_scans(ledger: Ledger, wanted: Wanted) -> Chosen:
    found: list[SealedBag] = []
    unsealed: list[str] = []
    for name in wanted.names:
        try:
            scan = await ledger.look(find_named, name, wanted.account, wanted.vendor)
        except (BadInput, UnknownScan) as error:
            unsealed.append(str(error))
            continue
        sealed = [bag async for bag in every_bag(ledger, scan_id=scan.id, newest=wanted.newest)]
        found += sealed
        if not sealed:
            unsealed.append(f"{scan.key}: nothing of it is sealed, it is {scan.state.value}")
    return Chosen(each(found), len(found), unsealed)
