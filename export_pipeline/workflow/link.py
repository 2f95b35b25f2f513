"""Where people get the sealed files of a scan: by signed URLs, else where the store has them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from export_pipeline.archive.layout import bag_prefix, payload_key
from export_pipeline.errors import BadInput
from export_pipeline.ledger import artifacts, summary
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Artifact, ArtifactState, Generation, GenerationState, Scan
from export_pipeline.storage.store import Store
from export_pipeline.workflow.describe import REASONS_SHOWN


@dataclass(frozen=True)
class Link:
    """One sealed file.

    Args:
        name: its name in the bag.
        kind: the artifact kind.
        size: in bytes.
        sha256: in lower-case hexadecimal.
        place: its address in the store, which opens nothing by itself.
        url: reads it, for whoever has it; None where the store cannot sign. Never log it.
    """

    name: str
    kind: str
    size: int
    sha256: str
    place: str
    url: str | None = field(repr=False)


def find_sealed(
    tx: Tx, scan: Scan, wanted: str | None = None, number: int | None = None
) -> tuple[Generation, list[Artifact]]:
    """A sealed generation of the scan with its files, or those of them that `wanted` means.

    Args:
        wanted: an artifact's name or kind; None for all.
        number: which generation; None for the newest that is sealed.

    Raises:
        BadInput: nothing is sealed, or there is no such file in what is; says why.
    """
    sealed = [
        one
        for one in summary.generations_of(tx, scan.id)
        if one.state == GenerationState.SEALED and number in (None, one.number)
    ]
    if not sealed:
        why = f" ({scan.reason})" if scan.reason else ""
        what = "nothing" if number is None else f"no generation {number}"
        raise BadInput(f"{scan.key}: {what} of it is sealed, it is {scan.state.value}{why}")
    every = artifacts.of_generation(tx, scan.id, sealed[-1].number)
    named = [one for one in every if wanted in (None, one.name, one.kind)]
    found = [one for one in named if one.state == ArtifactState.VERIFIED]
    if not found:
        raise BadInput(f"{scan.key}: {_why_none(every, named, wanted)}")
    return sealed[-1], found


def _why_none(every: Sequence[Artifact], named: Sequence[Artifact], wanted: str | None) -> str:
    if named:
        lost = [f"{one.name} is {one.state}: {one.reason}" for one in named[:REASONS_SHOWN]]
        return f"no such file is in its bag: {'; '.join(lost)}"
    kinds = ", ".join(sorted({one.kind for one in every}))
    return f"it has no artifact {wanted!r}: name a file, or one of the kinds {kinds}"


def make_link(store: Store, scan: Scan, artifact: Artifact, *, seconds: float) -> Link:
    """Sign a URL that reads the file for `seconds`.

    Raises:
        StoreError: no URL of this store lives so long.
    """
    key = payload_key(bag_prefix(scan.key, artifact.generation), artifact.name)
    return Link(
        name=artifact.name,
        kind=artifact.kind,
        size=artifact.size or 0,
        sha256=artifact.sha256 or "",
        place=f"{store.url}/{key}",
        url=store.sign_download(key, seconds=seconds),
    )
