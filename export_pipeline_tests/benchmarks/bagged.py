"""A store of many small bags, whose tag files are real: what a ledger is made anew from.

They are written without the store's syncs and with empty payload, which a rebuilding only lists.
"""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from export_pipeline.archive.layout import PAYLOAD_FOLDER, SEAL_NAME, bag_prefix
from export_pipeline.archive.tags import (
    DECLARATION,
    DECLARATION_NAME,
    INFO_NAME,
    MANIFEST_NAME,
    PROVENANCE_NAME,
    write_info,
    write_manifest,
)
from export_pipeline.workflow.provenance import Contents, write_provenance
from export_pipeline_tests.benchmarks.filled import KINDS, NEWS
from export_pipeline_tests.ledger.test_restore import lost


def fill_store(root: Path, count: int) -> None:
    """Write `count` bags of six files each."""
    for number in range(count):
        contents = _contents(f"essay-{number:08}")
        folder = root / bag_prefix(contents.scan.key, contents.generation.number)
        payload = folder / PAYLOAD_FOLDER
        payload.mkdir(parents=True)
        for one in contents.artifacts:
            (payload / one.name).touch()
        for name, data in _tags(contents).items():
            (folder / name).write_bytes(data)


def _contents(scan: str) -> Contents:
    known = lost(scan)
    (order,), (first, *_), (event, *_) = known.orders, known.artifacts, known.events
    return Contents(
        scan=known.scan,
        generation=known.generations[0],
        artifacts=[replace(first, kind=kind, name=f"{kind}.json") for kind in KINDS],
        orders=[order],
        events=[replace(event, event=word, order_id=order.id) for word in NEWS],
    )


def _tags(contents: Contents) -> dict[str, bytes]:
    payload = {f"{PAYLOAD_FOLDER}{one.name}": one.sha256 or "" for one in contents.artifacts}
    tags = {
        DECLARATION_NAME: DECLARATION,
        INFO_NAME: write_info({"External-Identifier": contents.scan.scan}),
        MANIFEST_NAME: write_manifest(payload),
        PROVENANCE_NAME: write_provenance(contents),
    }
    digests = {name: sha256(data).hexdigest() for name, data in tags.items()}
    return {**tags, SEAL_NAME: write_manifest(digests)}
