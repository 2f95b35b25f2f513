"""The fixity audit: many bags reread, with totals and what is wrong in words."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from export_pipeline.archive.audit import AuditReport, audit
from export_pipeline.archive.bag import bags
from export_pipeline.errors import StoreError
from export_pipeline.storage.store import Store
from export_pipeline.transfer.concurrency import concurrently

BAGS_AT_ONCE = 8


@dataclass
class FixityReport:
    """Totals of an audit so far.

    Args:
        audited: the folders of the bags that were reread, in the order given.
        failed: of those, the ones with problems.
        files: how many files were reread.
        bytes: how many bytes they had.
        problems: what is wrong, a sentence each.
        complete: whether every bag asked for was reached within the budget.
    """

    audited: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)
    complete: bool = False

    def add(self, report: AuditReport) -> None:
        """Count one bag."""
        self.audited.append(report.prefix)
        self.files += report.files
        self.bytes += report.bytes
        self.problems += report.problems
        if report.problems:
            self.failed.append(report.prefix)


async def fixity(
    store: Store, prefixes: Iterable[str] | None = None, *, budget_bytes: int | None = None
) -> FixityReport:
    """Audit the bags at `prefixes`, or every sealed bag of the store in order of key.

    Once `budget_bytes` have been reread no further bag is begun; `audited` says where to go on.
    A bag that the store fails to show counts as failed, with the store's words.
    """
    report = FixityReport()

    async def within_budget() -> AsyncIterator[str]:
        async for prefix in _sealed(store) if prefixes is None else _each(prefixes):
            if budget_bytes is not None and report.bytes >= budget_bytes:
                return
            yield prefix
        report.complete = True

    async def audit_one(prefix: str) -> AuditReport:
        try:
            return await audit(store, prefix)
        except StoreError as error:
            return AuditReport(prefix, seal=f"it could not be audited: {error}")

    async for finding in concurrently(audit_one, within_budget(), BAGS_AT_ONCE):
        report.add(finding)
    return report


async def _sealed(store: Store) -> AsyncIterator[str]:
    async for listing in bags(store):
        if listing.sealed:
            yield listing.prefix


async def _each(prefixes: Iterable[str]) -> AsyncIterator[str]:
    for prefix in prefixes:
        yield prefix
