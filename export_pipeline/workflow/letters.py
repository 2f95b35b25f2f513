"""Bring in old scans from their stored `completed` webhooks."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from export_pipeline.errors import BadInput
from export_pipeline.ledger import inbox
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import Scan
from export_pipeline.settings import Settings
from export_pipeline.vendors.vendor import Registration, Vendor
from export_pipeline.workflow.importing import Imported, in_batches
from export_pipeline.workflow.register import read_registrations

MAX_BODY_BYTES = 32 * 1024 * 1024
"""As the receiver takes it."""
BODIES_PER_TRANSACTION = 50
LETTERS_PER_TURN = 500
COMPLETED = "completed"

Body = tuple[str, bytes]
"""Where it stands (`line 7`, `a.json`), and what it is."""


def import_bodies(
    ledger: Ledger,
    vendor: Vendor,
    settings: Settings,
    bodies: Iterable[Body],
    *,
    account: str,
    imported: Imported,
) -> None:
    """Put the bodies into the inbox and register their scans, without ordering them.

    Webhooks that came by themselves meanwhile are acted on first, as the settings say: a
    historical scan that somebody brings in must not go before them in the queue.

    Args:
        ledger: where the inbox is.
        vendor: who reads the bodies.
        settings: for the webhooks that are there already.
        bodies: see `read_bodies`; those that cannot be read are left out.
        account: whose scans they are.
        imported: what was done so far; `known` counts scans that the ledger had.
    """
    patient = settings.model_copy(update={"order_on_webhook": False})
    for batch in in_batches(_readable(bodies, vendor, imported), BODIES_PER_TRANSACTION):
        with ledger.write() as tx:
            while inbox.unhandled(tx, vendor.name, inbox.SCANS, 1):
                read_registrations(tx, vendor, settings, LETTERS_PER_TURN)
            for body in batch:
                _keep(tx, vendor, account, body)
            registered = read_registrations(tx, vendor, patient, len(batch))
            imported.forgotten += len(batch) - len(registered)
            new = {scan.id for scan in registered if _is_new(tx, scan)}
        imported.new += len(new)
        imported.known += len(registered) - len(new)
        imported.accounts |= {scan.account for scan in registered}


def _readable(bodies: Iterable[Body], vendor: Vendor, imported: Imported) -> Iterator[bytes]:
    for where, body in bodies:
        try:
            _require_scan(vendor.read_registration(COMPLETED, body))
        except BadInput as error:
            imported.refuse(where, str(error))
        else:
            yield body


def _require_scan(found: Registration | None) -> None:
    if found is None:
        raise BadInput("it names no scan")


def _keep(tx: Tx, vendor: Vendor, account: str, body: bytes) -> None:
    inbox.receive(
        tx,
        vendor=vendor.name,
        account=account,
        topic=inbox.SCANS,
        subject=COMPLETED,
        headers={},
        body=body,
    )


def _is_new(tx: Tx, scan: Scan) -> bool:
    return scan.registered_at == tx.now


def read_bodies(file: BinaryIO) -> Iterator[Body]:
    """Yield the bodies of a file: JSON lines, or one JSON object over many lines.

    A body that is longer than `MAX_BODY_BYTES` is yielded cut, and so cannot be read.
    """
    first = file.readline(MAX_BODY_BYTES + 1)
    if _is_json(first) or not first.strip():
        yield from _lines(first, file)
    else:
        yield "the file", first + file.read(MAX_BODY_BYTES)


def _lines(first: bytes, file: BinaryIO) -> Iterator[Body]:
    rest = iter(lambda: file.readline(MAX_BODY_BYTES + 1), b"")
    for number, line in enumerate(chain([first], rest), 1):
        if line.strip():
            yield f"line {number}", line


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def read_folder(folder: Path) -> Iterator[Body]:
    """Yield the bodies of every `.json` file in a folder, in order of name.

    Raises:
        BadInput: the folder has none.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    if not paths:
        raise BadInput(f"{folder} has no .json files")
    for path in paths:
        with path.open("rb") as file:
            yield path.name, file.read(MAX_BODY_BYTES + 1)
