"""The rolling audit of the archive: one run of many that together reread all of it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from export_pipeline.archive.fixity import FixityReport
from export_pipeline.archive.pace import Pace, pace
from export_pipeline.ledger import audits
from export_pipeline.ledger.audits import ArchiveSize, SealedBag
from export_pipeline.settings import Settings
from export_pipeline.workflow.auditing.bags import verified_longest_ago
from export_pipeline.workflow.auditing.inventory import note_problems, take_inventory
from export_pipeline.workflow.auditing.verify import Auditor

DAY_SECONDS = 86_400.0
DAMAGED_SHOWN = 100
"""Bags whose damage of earlier audits is told again."""


@dataclass(frozen=True)
class FixityRun:
    """What one run did, and how the archive stands after it."""

    report: FixityReport
    pace: Pace
    size: ArchiveSize

    @property
    def oldest_days(self) -> float:
        """Days since the bag was verified of which that is longest ago; 0 without any bag."""
        if self.size.oldest is None:
            return 0.0
        return (self.size.at - self.size.oldest) / DAY_SECONDS


async def run_fixity(auditor: Auditor, settings: Settings) -> FixityRun:
    """Compare the whole store with the ledger by name, then reread what was verified longest ago.

    Bags that the store did not list come first, whatever their age. Damage that earlier runs found
    is told until the bag is found whole.

    Raises:
        StoreError: the store cannot be listed.
    """
    size = await auditor.ledger.look(audits.size)
    chosen = pace(size.bags, size.bytes, days=settings.fixity_days, most=settings.fixity_bytes)
    inventory = await take_inventory(auditor.ledger, auditor.store)
    due = verified_longest_ago(auditor.ledger, budget=chosen.budget, before=size.at)
    report = await auditor.audit(_first(inventory.gone, due))
    await note_problems(auditor.ledger, inventory, report)
    before = await auditor.ledger.look(audits.damaged, before=size.at, limit=DAMAGED_SHOWN)
    report.elsewhere += [_found_before(damage) for damage in before]
    report.elsewhere += inventory.problems
    return FixityRun(report, chosen, await auditor.ledger.look(audits.size))


def _found_before(damage: str) -> str:
    return f"{damage} (found before; once it is repaired, `export-pipeline verify` that scan)"


async def _first(
    these: Sequence[SealedBag], then: AsyncIterator[SealedBag]
) -> AsyncIterator[SealedBag]:
    for bag in these:
        yield bag
    seen = set(these)
    async for bag in then:
        if bag not in seen:
            yield bag
