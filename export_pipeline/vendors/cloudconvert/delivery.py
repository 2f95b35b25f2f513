"""How the files of an order come: decided from what there is, told as export tasks."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError

from export_pipeline.errors import ConfigError
from export_pipeline.storage.options import in_words
from export_pipeline.vendors.cloudconvert.artifacts import FOLDER, ONE, STAGED
from export_pipeline.vendors.cloudconvert.models import File
from export_pipeline.vendors.cloudconvert.operations import (
    EXPORTS,
    Export,
    ExportUpload,
    ExportUrl,
)
from export_pipeline.vendors.cloudconvert.options import PREFIX, Way
from export_pipeline.vendors.vendor import Loan, Placement

PUT = "PUT"

Item = TypeVar("Item")


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


@dataclass(frozen=True)
class Delivery:
    """The export tasks of an order by name, and what no text may repeat of them."""

    tasks: Mapping[str, Export] = field(repr=False)

    @property
    def secrets(self) -> list[str]:
        """Credentials lent, and URLs that open something."""
        return [secret for export in self.tasks.values() for secret in export.secrets]


async def deliver(placement: Placement, held: Sequence[Held], wanted: Wanted) -> Delivery:
    """Decide: one file to a signed URL, else with lent credentials, else by URL.

    Raises:
        ConfigError: credentials are asked for and not set, or cannot be used.
        StoreError: the store cannot sign for the order's whole time.
    """
    if is_zipped(held, wanted):
        inputs = tuple(one.task for one in held)
        return Delivery({ONE: _by_url(inputs, wanted, zipped=True)})
    upload = await _signed(placement, held) if wanted.delivery == Way.AUTO else None
    if upload is not None:
        return Delivery({ONE: upload})
    if wanted.delivery != Way.URL:
        staged = await asyncio.to_thread(_staged, placement, held)
        if staged is not None:
            return Delivery(staged)
    if wanted.delivery == Way.STORAGE:
        raise ConfigError(
            f"{PREFIX}DELIVERY is storage, and the store has no credentials to lend for these"
            f" files: set {PREFIX}<STORE>_... (see the README), or set it to auto"
        )
    if _files(held) == 1:
        return Delivery({ONE: _by_url((held[0].task,), wanted)})
    return Delivery({name: _by_url((one.task,), wanted) for name, one in _numbered("url", held)})


def is_zipped(held: Sequence[Held], wanted: Wanted) -> bool:
    """Whether the files come as one ZIP."""
    return wanted.archive_multiple_files and _files(held) > 1


def _files(held: Sequence[Held]) -> int:
    return sum(len(one.files) for one in held)


def _by_url(tasks: tuple[str, ...], wanted: Wanted, *, zipped: bool = False) -> ExportUrl:
    return ExportUrl(
        input=tasks if len(tasks) > 1 else tasks[0],
        inline=wanted.inline or None,
        archive_multiple_files=zipped or None,
    )


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


def _staged(placement: Placement, held: Sequence[Held]) -> dict[str, Export] | None:
    """An export with lent credentials for each task; None unless all can go so."""
    exports = [_lent(placement, one) for one in held]
    if any(export is None for export in exports):
        return None
    return {name: one for name, one in _numbered(STAGED, exports) if one is not None}


def _lent(placement: Placement, held: Held) -> Export | None:
    """The export that writes each file to where its artifact is looked for below `.incoming/`.

    Several files of a task keep their own names there: only such names as need no escape.
    """
    names = list(held.files)
    if len(names) > 1 and any(name != FOLDER + file.path for name, file in held.files.items()):
        return None
    loan = placement.lend(names[0])
    if loan is None:
        return None
    export = read_loan(loan, held.task)
    if len(names) > 1:
        if not export.prefix_field:
            return None
        export = in_folder(export)
    export.require_names(len(names))
    return export


def in_folder(export: Export) -> Export:
    """The export with a prefix in place of its name: the folder in which that lies."""
    folder = (export.name or "").rpartition("/")[0]
    named = {export.name_field: None, export.prefix_field: f"{folder}/"}
    return type(export).model_validate({**dict(export), **named})


def read_loan(loan: Loan, task: str) -> Export:
    """The operation that a store lends itself to.

    Raises:
        ConfigError: CloudConvert takes no such arguments; names them.
    """
    model = EXPORTS[loan.operation]
    try:
        return model.model_validate({**loan.arguments, "input": task})
    except ValidationError as error:
        reason = in_words(error)
    raise ConfigError(f"{loan.operation} cannot write into the store: {reason}")


def _numbered(begin: str, items: Sequence[Item]) -> list[tuple[str, Item]]:
    return [(f"{begin}-{number}", one) for number, one in enumerate(items, 1)]
