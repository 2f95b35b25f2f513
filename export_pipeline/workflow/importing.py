"""Bring in old scans from a list of their ids."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO, TypeVar

from export_pipeline.errors import BadInput
from export_pipeline.ledger.bulk import NewScan, register_many
from export_pipeline.ledger.database import Ledger
from export_pipeline.scans import ScanKey
from export_pipeline.settings import ACCOUNT_NAME
from export_pipeline.vendors.vendor import Registration
from export_pipeline.workflow.tables import ACCOUNT, Line, read_lines

SCANS_PER_TRANSACTION = 1_000
PROBLEMS_KEPT = 1_000
"""Bad lines that are listed; all are counted."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Format:
    """How a vendor's import file is read: the fields it knows, and what a line means."""

    vendor: str
    fields: Sequence[str]
    read: Callable[[Mapping[str, Any]], Registration]


@dataclass
class Imported:
    """What an import came to.

    Args:
        new: scans that the ledger did not have.
        updated: scans of which it learned something.
        known: scans of which it knew all before.
        forgotten: scans that were forgotten once, and so were left out.
        bad: lines or bodies that could not be used.
        problems: where and why, of the first `PROBLEMS_KEPT` bad ones.
        accounts: the accounts that the scans are of.
    """

    new: int = 0
    updated: int = 0
    known: int = 0
    forgotten: int = 0
    bad: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    accounts: set[str] = field(default_factory=set)

    def refuse(self, where: str, reason: str) -> None:
        """Count something that could not be used."""
        self.bad += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append((where, reason))


def import_scans(
    ledger: Ledger,
    form: Format,
    file: BinaryIO,
    *,
    account: str,
    secret: str | None,
    imported: Imported,
) -> None:
    """Register every scan of the file, `SCANS_PER_TRANSACTION` at a time, and fill in `imported`.

    Args:
        ledger: where they are registered.
        form: how the vendor's lines are read.
        file: see `tables.read_lines`; the column `account` is beside the form's.
        account: whose they are where a line does not say.
        secret: the key of the tombstones, by which forgotten scans are left out.
        imported: what was done so far, also when an error ends it.

    Raises:
        BadInput: the file's header cannot be used.
        ConfigError: scans were forgotten, and this is not the key by which to know them.
    """
    lines = read_lines(file, (*form.fields, ACCOUNT))
    for chunk in in_batches(lines, SCANS_PER_TRANSACTION):
        found = list(_readable(chunk, form, account, imported))
        with ledger.write() as tx:
            counts = register_many(tx, found, source="import", secret=secret)
        imported.new += counts.new
        imported.updated += counts.updated
        imported.known += counts.known
        imported.forgotten += counts.forgotten
        imported.accounts |= {one.key.account for one in found}


def _readable(
    lines: Iterable[Line], form: Format, account: str, imported: Imported
) -> Iterator[NewScan]:
    for line in lines:
        try:
            if line.problem:
                raise BadInput(line.problem)
            named = require_account(line.fields.pop(ACCOUNT, None) or account)
            told = form.read(line.fields)
        except BadInput as error:
            imported.refuse(f"line {line.number}", str(error))
        else:
            key = ScanKey(form.vendor, named, told.scan)
            yield NewScan(key, told.details, told.expires_at)


def require_account(name: object) -> str:
    """Return `name` if it can be an account's.

    Raises:
        BadInput: it cannot.
    """
    if isinstance(name, str) and ACCOUNT_NAME.fullmatch(name):
        return name
    raise BadInput(
        f"account: {name!r:.80} is no account name: use 1 to 31 of a-z 0-9 _ -, beginning with a"
        " letter or digit"
    )


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut a stream into lists of at most `size`."""
    stream = iter(items)
    while batch := list(islice(stream, size)):
        yield batch
