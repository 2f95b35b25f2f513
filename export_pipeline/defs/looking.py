"""Looks for what is new at a vendor, one for each account and source: none stops the others."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import dagster as dg

from export_pipeline.errors import ExportPipelineError

Found = TypeVar("Found")
NamedLook = tuple[str, Callable[[], Awaitable[Found]]]
"""Where it looks, in words, and the look."""


@dataclass(frozen=True)
class Looked(Generic[Found]):
    """What looks came to.

    Args:
        found: where -> what was found.
        failed: where -> why nothing was.
    """

    found: Mapping[str, Found]
    failed: Mapping[str, str]

    def require_all(self) -> None:
        """Fail the run if a look failed, once all else is done.

        Raises:
            Failure: names each that did, and why; the next run looks there again.
        """
        if self.failed:
            several = len(self.found) + len(self.failed)
            why = "; ".join(f"{where}: {reason}" for where, reason in self.failed.items())
            said = f"{len(self.failed)} of {several} looks failed, the others are done: {why}"
            raise dg.Failure(said, allow_retries=False)


async def look_at_each(looks: Iterable[NamedLook[Found]]) -> Looked[Found]:
    """Look everywhere, one after the other, whatever became of those before."""
    found: dict[str, Found] = {}
    failed: dict[str, str] = {}
    for where, look in looks:
        try:
            found[where] = await look()
        except ExportPipelineError as error:
            failed[where] = str(error)
    return Looked(found, failed)
