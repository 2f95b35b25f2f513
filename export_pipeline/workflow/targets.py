"""Where a vendor writes an artifact: straight into a store that signs, else to our receiver."""

from collections.abc import Sequence
from contextlib import suppress

from export_pipeline.archive.layout import incoming_key
from export_pipeline.errors import AlreadyExists, StoreError
from export_pipeline.ledger.rows import Artifact, Order, Scan
from export_pipeline.storage.store import UploadTarget, pieces
from export_pipeline.vendors.placement import Loan, StoredSource
from export_pipeline.workflow.pipeline import Pipeline

ROOM = ".room"
"""After the name of what is to come, which nothing else is called: below `.incoming/`."""


def upload_target(pipeline: Pipeline, scan: Scan, order: Order, artifact: Artifact) -> UploadTarget:
    """The target that the order names for the artifact, whatever content type the vendor sends.

    Raises:
        StoreError: the store cannot sign a URL for the order's whole time.
    """
    signed = signed_target(pipeline, scan, order, artifact.name, typed=False)
    return signed or pipeline.addresses.upload(order.id, artifact.name)


def signed_target(
    pipeline: Pipeline, scan: Scan, order: Order, name: str, *, typed: bool = True
) -> UploadTarget | None:
    """Where a vendor writes the artifact straight into the store; None if the store cannot sign.

    Args:
        typed: see `Store.sign_upload`.

    Raises:
        StoreError: the store cannot sign a URL for the order's whole time.
    """
    key = pipeline.key(scan, order.generation, name)
    seconds = pipeline.settings.order_deadline
    return pipeline.store.sign_upload(key, seconds=seconds, typed=typed)


def loan(pipeline: Pipeline, order: Order, name: str) -> Loan | None:
    """How a vendor writes the artifact with credentials lent to it; None if none are set."""
    key = incoming_key(order.id, name)
    lent = pipeline.store.cloudconvert(key)
    return None if lent is None else Loan(key, *lent)


async def make_room(pipeline: Pipeline, order: Order, name: str) -> None:
    """Make the folder into which a vendor writes an artifact by a loan, where the store needs it.

    It is left by a file that was put there and deleted: no store has another way in common.

    Raises:
        StoreError: the store failed.
    """
    if pipeline.store.capabilities.needs_folders:
        key = incoming_key(order.id, name) + ROOM
        with suppress(AlreadyExists):
            await pipeline.store.put(key, pieces(b""))
        await pipeline.store.delete(key)


def stored_source(pipeline: Pipeline, key: str) -> StoredSource:
    """An archived file for a vendor to take in.

    Raises:
        StoreError: the store cannot sign a URL for the order's whole time.
    """
    url = pipeline.store.sign_download(key, seconds=pipeline.settings.order_deadline)
    return StoredSource(url, lambda: pipeline.store.open(key))


def endpoints(
    pipeline: Pipeline, scan: Scan, order: Order, files: Sequence[Artifact]
) -> dict[str, str]:
    """Artifact name -> URL that the order named, up to the query, which each signing makes anew.

    A vendor that is not given one for each tells nothing by them: then none is signed again.
    """
    if not pipeline.vendor.pushes:
        return dict.fromkeys((one.name for one in files), "")
    return {one.name: _url(pipeline, scan, order, one) for one in files}


def _url(pipeline: Pipeline, scan: Scan, order: Order, artifact: Artifact) -> str:
    try:
        return upload_target(pipeline, scan, order, artifact).url
    except StoreError:  # what the vendor says of it is lost: the store itself is looked at anyway
        return pipeline.addresses.upload(order.id, artifact.name).url
