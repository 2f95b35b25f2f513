"""Finding what finished in the last 24 hours, before the vendor deletes it (seed 003).

Each look reads every page of the jobs, or of the tasks of no job, that the vendor still has: a list
may be in the order in which they began (it is documented nowhere, FACTS 4.2), and one that began
first may end last. Of what is listed that is registered which ended since the look before, less an
overlap. Jobs and tasks that orders of ours made are none of the team's.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from export_pipeline.errors import VendorError, VendorUnavailable
from export_pipeline.ledger import cursors
from export_pipeline.ledger.bulk import NewScan, register_many
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.scans import ScanKey
from export_pipeline.vendors.cloudconvert import VENDOR
from export_pipeline.vendors.cloudconvert.client import CloudConvertClient
from export_pipeline.vendors.cloudconvert.details import Kind, ScanDetails
from export_pipeline.vendors.cloudconvert.models import FINISHED, KEPT, Job, Task
from export_pipeline.vendors.cloudconvert.options import CloudConvertOptions, Found
from export_pipeline.vendors.cloudconvert.tags import is_ours
from export_pipeline.vendors.vendor import Registration

OVERLAP = timedelta(hours=1)
"""Ours: what ended before a look and was not listed by then."""


@dataclass(frozen=True)
class Look:
    """What a look came to.

    Args:
        new: how many scans were new.
        missed: from when to when whatever ended was deleted before anybody looked; None if nothing.
    """

    new: int
    missed: tuple[datetime, datetime] | None = None


async def discover(
    client: CloudConvertClient,
    options: CloudConvertOptions,
    ledger: Ledger,
    found: Found,
    *,
    secret: str | None,
) -> Look:
    """Look once through the finished jobs or tasks of an account, and register what is found.

    The cursor moves only once all is registered: what a look that fails found is found again. What
    cannot be read makes it fail in the end, and keeps nothing else from being registered.

    Args:
        client: the account's API.
        options: whether only jobs of one tag are of interest.
        ledger: where they are registered.
        found: jobs or tasks.
        secret: the key of the tombstones, by which forgotten scans are left out.

    Raises:
        VendorError: a page, or something on one, could not be read.
    """
    account, new = client.account.name, 0
    name = f"{VENDOR}/{account}/{found}"
    began, looked_at = await ledger.look(_begin, name)
    since = None if looked_at is None else looked_at - OVERLAP
    async with aclosing(_pages(client, options, found, since)) as pages:
        async for page in pages:
            scans = [
                NewScan(ScanKey(VENDOR, account, one.scan), one.details, one.expires_at)
                for one in page
            ]
            told = await ledger.apply(register_many, scans, source="discovery", secret=secret)
            new += told.new
    await ledger.apply(cursors.save, name, began.timestamp())
    return Look(new, missed(looked_at, began))


def missed(looked_at: datetime | None, now: datetime) -> tuple[datetime, datetime] | None:
    """The time of which nothing is listed any more, and nothing was when it was looked at last."""
    kept_since = now - KEPT
    return (looked_at, kept_since) if looked_at is not None and looked_at < kept_since else None


def _begin(tx: Tx, name: str) -> tuple[datetime, datetime | None]:
    looked_at = cursors.load(tx, name)
    now = datetime.fromtimestamp(tx.now, UTC)
    return now, None if looked_at is None else datetime.fromtimestamp(looked_at, UTC)


async def _pages(
    client: CloudConvertClient,
    options: CloudConvertOptions,
    found: Found,
    since: datetime | None,
) -> AsyncGenerator[list[Registration], None]:
    call = client.call(f"the look for finished {found}")
    tag = options.discover_tag if found == Found.JOBS else ""
    filters = {"status": FINISHED, **({"tag": tag} if tag else {})}
    model: type[Job | Task] = Job if found == Found.JOBS else Task
    odd: list[VendorError] = []
    async with aclosing(client.pages(call, found, filters=filters)) as pages:
        async for page, _ in pages:
            listed: list[Job | Task] = []
            for told in page:
                try:
                    listed.append(client.listed(call, model, told))
                except VendorUnavailable as error:
                    odd.append(error)
            theirs = [one for one in listed if _is_theirs(one, options)]
            yield [_registration(one) for one in theirs if _is_new(one, since)]
    if odd:
        raise odd[0]


def _is_new(one: Job | Task, since: datetime | None) -> bool:
    return since is None or one.ended_at is None or one.ended_at >= since


def _is_theirs(one: Job | Task, options: CloudConvertOptions) -> bool:
    """Whether it is finished work of the team's, and not an export or a part of a job."""
    if one.status != FINISHED:
        return False
    if isinstance(one, Job):
        return not is_ours(one.tag) and options.discover_tag in ("", one.tag)
    return one.job_id is None and not one.is_export and bool(one.files)


def _registration(one: Job | Task) -> Registration:
    kind = Kind.JOB if isinstance(one, Job) else Kind.TASK
    return ScanDetails(kind=kind).registration(one.id, one.expires_at)
