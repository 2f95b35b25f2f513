"""Verify sealed bags: every byte reread against its seal, and the seal against the ledger."""

from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from export_pipeline.archive.audit import AuditReport, audit
from export_pipeline.archive.bag import read_all
from export_pipeline.archive.fixity import FixityReport
from export_pipeline.archive.fixity_records import FixityRecord, write_records
from export_pipeline.archive.layout import FIXITY_FOLDER, PAYLOAD_FOLDER, bag_prefix
from export_pipeline.archive.signature import Keys
from export_pipeline.archive.tags import MANIFEST_NAME, read_manifest
from export_pipeline.concurrency import concurrently
from export_pipeline.errors import BadInput, NotFound, StoreError
from export_pipeline.ledger import artifacts, audits, events, registry, reports, summary
from export_pipeline.ledger.audits import SealedBag
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.held import copying
from export_pipeline.ledger.rows import ArtifactState
from export_pipeline.storage.store import Store
from export_pipeline.workflow import describe
from export_pipeline.workflow.settle import report as show

BAGS_AT_ONCE = 8
RECORDS_PER_TABLE = 5_000
"""Findings held until they are written to the store: about 5 MB."""
SENTENCES_KEPT = 20
"""Of what is wrong with one bag; a bag may have 100,000 files."""


@dataclass(frozen=True)
class Finding:
    """What an audit of one bag found, and when by the ledger's clock; None if it is not noted."""

    bag: SealedBag
    report: AuditReport
    audited_at: float | None


@dataclass(frozen=True)
class Auditor:
    """Rereads bags and keeps what it finds, in the ledger bag by bag and in the store as tables.

    Args:
        ledger: knows the bags.
        store: has them.
        keys: by which their signatures are judged.
        run_id: names the records of this audit.
        trust_store: compare the store's own checksums, where it has them, instead of rereading.
        tell: called with each finding, for whoever watches.
    """

    ledger: Ledger
    store: Store
    keys: Keys
    run_id: str
    trust_store: bool = False
    tell: Callable[[Finding], None] = field(default=lambda _: None)

    async def audit(self, bags: AsyncIterable[SealedBag]) -> FixityReport:
        """Reread the bags, a few at once."""
        total = FixityReport()
        unkept: list[Finding] = []
        async for finding in concurrently(self._judge, bags, BAGS_AT_ONCE):
            total.add(finding.report)
            self.tell(finding)
            unkept.append(finding)
            if len(unkept) == RECORDS_PER_TABLE:
                await self._keep(unkept, total)
                unkept = []
        await self._keep(unkept, total)
        return total

    async def _judge(self, bag: SealedBag) -> Finding:
        prefix = bag_prefix(bag.key, bag.number)
        trusted = bag.seal_sha256 if self.trust_store else ""
        try:
            found = await audit(self.store, prefix, self.keys, trusted_seal=trusted)
            if found.seal_sha256 and bag.seal_sha256 not in ("", found.seal_sha256):
                found = await self._against_ledger(bag, found)
        except StoreError as error:
            return Finding(bag, AuditReport(prefix, unread=f"it could not be read: {error}"), None)
        noted = await self.ledger.apply(_note, bag, found.damage)
        # A scan that was forgotten meanwhile is no damage.
        return Finding(bag, found if noted is not None else AuditReport(prefix), noted)

    async def _against_ledger(self, bag: SealedBag, found: AuditReport) -> AuditReport:
        """Name what the ledger recorded otherwise than a bag whose seal was rewritten."""
        recorded = await self.ledger.look(_recorded, bag)
        try:
            manifest = found.prefix + MANIFEST_NAME
            sealed = read_manifest(await read_all(self.store, manifest), manifest)
        except (BadInput, NotFound):
            sealed = recorded
        altered = [path for path in recorded if sealed.get(path, "") != recorded[path]]
        words = f"its seal is not the one with which it was sealed, of sha256 {bag.seal_sha256}"
        return replace(
            found,
            seal="; ".join(filter(None, (words, found.seal))),
            changed=_merged(found.changed, [path for path in altered if path in sealed]),
            missing=_merged(found.missing, [path for path in altered if path not in sealed]),
            untracked=_merged(found.untracked, [path for path in sealed if path not in recorded]),
        )

    async def _keep(self, findings: Sequence[Finding], total: FixityReport) -> None:
        """Write what was found as a table that names no scan forgotten meanwhile."""
        noted = [one for one in findings if one.audited_at is not None]
        if noted:
            async with copying(self.ledger, f"{FIXITY_FOLDER}{self.run_id}"):
                await self._write(noted, total)

    async def _write(self, noted: Sequence[Finding], total: FixityReport) -> None:
        ids = [one.bag.scan_id for one in noted]
        there = await self.ledger.look(audits.still_there, ids)
        while kept := [_record(one) for one in noted if one.bag.scan_id in there]:
            moment = datetime.fromtimestamp(max(one.audited_at for one in kept), UTC)
            try:
                written = await write_records(self.store, moment, self.run_id, kept)
                before, there = there, await self.ledger.look(audits.still_there, ids)
                if there == before:
                    return
                await self.store.erase(written.key)
            except StoreError as error:
                total.unkept.append(f"the record of this audit could not be kept: {error}")
                return


def _record(finding: Finding) -> FixityRecord:
    bag, report = finding.bag, finding.report
    return FixityRecord(
        scan=bag.key,
        generation=bag.number,
        audited_at=finding.audited_at or 0.0,
        files=report.files,
        bytes=report.bytes,
        damage=_in_short(report.damage),
    )


def _note(tx: Tx, bag: SealedBag, damage: Sequence[str]) -> float | None:
    """Note what an audit found; None if the ledger has the bag no more."""
    before = audits.audited(tx, bag, _in_short(damage))
    if before is None:
        return None
    if before != _in_short(damage):
        _show_change(tx, bag, damage)
    return tx.now


def _show_change(tx: Tx, bag: SealedBag, damage: Sequence[str]) -> None:
    """Have Dagster show the scan's bag as failed, or as whole again."""
    scan = registry.by_id(tx, bag.scan_id)
    reason = _in_short(damage)
    event = "damaged" if damage else "whole again"
    events.record(tx, scan.id, event, generation=bag.number, reason=reason)
    if damage:
        show(tx, scan, bag.number, describe.BAG, (reports.FAILED, {"reason": reason}))
    elif not any(one.damage for one in summary.generations_of(tx, scan.id)):
        shown = describe.describe(tx, scan, describe.BAG)
        if shown is not None:
            show(tx, scan, scan.generation, describe.BAG, shown)


def _recorded(tx: Tx, bag: SealedBag) -> dict[str, str]:
    every = artifacts.of_generation(tx, bag.scan_id, bag.number)
    verified = [one for one in every if one.state == ArtifactState.VERIFIED]
    return {PAYLOAD_FOLDER + one.name: one.sha256 or "" for one in verified}


def _merged(found: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*found, *more)))


def _in_short(damage: Sequence[str]) -> str:
    more = len(damage) - SENTENCES_KEPT
    return "\n".join([*damage[:SENTENCES_KEPT], *([f"and {more} more"] if more > 0 else [])])
