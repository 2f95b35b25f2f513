"""How the files of an order come: decided from what there is, told as one export task."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import ValidationError

from export_pipeline.errors import ConfigError
from export_pipeline.validation import in_words
from export_pipeline.vendors.cloudconvert.artifacts import FOLDER, ONE, SEVERAL, STAGED
from export_pipeline.vendors.cloudconvert.models import File
from export_pipeline.vendors.cloudconvert.operations import (
    EXPORTS,
    Export,
    ExportUpload,
    ExportUrl,
)
from export_pipeline.vendors.cloudconvert.options import PREFIX, Way
from export_pipeline.vendors.placement import Loan, Placement

PUT = "PUT"


@dataclass(frozen=True)
class Held:
    """A task with files to be exported.

    Args:
        task: its id, or its name in the job that exports it.
        files: by the names of their artifacts.
    """

    task: str
    files: Mapping[str, File]


@dataclass(frozen=True)
class Wanted:
    """How files are to come; see `CloudConvertOptions`."""

    delivery: Way
    inline: bool
    archive_multiple_files: bool


class NamedExport(NamedTuple):
    """An export task, and its name: that tells what it brings, see `ONE`, `SEVERAL`, `STAGED`."""

    name: str
    export: Export


async def deliver(placement: Placement, held: Sequence[Held], wanted: Wanted) -> NamedExport:
    """Decide: one file to a signed URL, else with lent credentials, else by URL.

    Raises:
        ConfigError: credentials are asked for and not set, or cannot be used.
        StoreError: the store cannot sign for the order's whole time.
    """
    if is_zipped(held, wanted):
        return NamedExport(ONE, _by_url(held, wanted, zipped=True))
    upload = await _signed(placement, held) if wanted.delivery == Way.AUTO else None
    if upload is not None:
        return NamedExport(ONE, upload)
    if wanted.delivery != Way.URL:
        lent = await asyncio.to_thread(_lent, placement, held)
        if lent is not None:
            await placement.make_room(next(iter(held[0].files)))
            return NamedExport(STAGED, lent)
    if wanted.delivery == Way.STORAGE:
        raise ConfigError(
            f"{PREFIX}DELIVERY is storage, and the store has no credentials to lend for these"
            f" files: set {PREFIX}<STORE>_... (see the README), or set it to auto"
        )
    return NamedExport(ONE if _files(held) == 1 else SEVERAL, _by_url(held, wanted))


def is_zipped(held: Sequence[Held], wanted: Wanted) -> bool:
    """Whether the files come as one ZIP."""
    return wanted.archive_multiple_files and _files(held) > 1


def _files(held: Sequence[Held]) -> int:
    return sum(len(one.files) for one in held)


def _by_url(held: Sequence[Held], wanted: Wanted, *, zipped: bool = False) -> ExportUrl:
    return ExportUrl(
        input=_input(held),
        inline=wanted.inline or None,
        archive_multiple_files=zipped or None,
    )


def _input(held: Sequence[Held]) -> str | tuple[str, ...]:
    tasks = tuple(one.task for one in held)
    return tasks if len(tasks) > 1 else tasks[0]


async def _signed(placement: Placement, held: Sequence[Held]) -> Export | None:
    """The upload of the only file to a URL that the store signs, None if it is not so."""
    if _files(held) != 1:
        return None
    (name,) = held[0].files
    # Beside the event loop: some clouds are asked for each signature.
    target = await asyncio.to_thread(placement.sign, name)
    if target is None or target.verb != PUT:
        return None
    headers = dict(target.headers) or None
    return ExportUpload.model_validate(
        {"input": held[0].task, "url": target.url, "headers": headers}
    )


def _lent(placement: Placement, held: Sequence[Held]) -> Export | None:
    """The export that writes each file to where its artifact is looked for below `.incoming/`.

    Several files keep their own names there: only such names as need no escape.
    """
    files = {name: file for one in held for name, file in one.files.items()}
    is_one = len(files) == 1
    if not is_one and any(name != FOLDER + file.path for name, file in files.items()):
        return None
    loan = placement.lend(next(iter(files)))
    if loan is None:
        return None
    export = read_loan(loan, _input(held))
    if is_one:
        return export
    return in_folder(export) if export.prefix_field else None


def in_folder(export: Export) -> Export:
    """The export with a prefix in place of its name: the folder in which that lies."""
    folder = (export.name or "").rpartition("/")[0]
    named = {export.name_field: None, export.prefix_field: f"{folder}/"}
    return type(export).model_validate({**dict(export), **named})


def read_loan(loan: Loan, tasks: str | tuple[str, ...]) -> Export:
    """The operation that a store lends itself to, for the files of these tasks.

    Raises:
        ConfigError: CloudConvert takes no such arguments, or would change the name; says which.
    """
    model = EXPORTS[loan.operation]
    try:
        export = model.model_validate({**loan.arguments, "input": tasks})
    except ValidationError as error:
        reason = in_words(error)
    else:
        if export.number is None:
            return export
        reason = (
            f"{export.name_field}: CloudConvert puts a number for {export.number}, which the"
            " archive's folder has in its name: use another folder"
        )
    raise ConfigError(f"{loan.operation} cannot write into the store: {reason}")
