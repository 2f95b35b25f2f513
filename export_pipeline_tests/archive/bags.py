"""Bags in a store on local disk, made as the pipeline makes them."""

import hashlib
from collections.abc import Mapping

from export_pipeline.archive.bag import Bag, PayloadFile, seal
from export_pipeline.archive.layout import bag_prefix, payload_key
from export_pipeline.archive.tags import Info
from export_pipeline.scans import ScanKey
from export_pipeline.storage.store import Store, pieces

HOSTILE_ID = 'a/../b%2f;:"<x>'
SCAN = ScanKey("copyleaks", "default", "scan-1")
PREFIX = bag_prefix(SCAN, 1)
PAYLOAD = {"pdf_report.pdf": b"%PDF-1.7 ...", "results/2a1b402420.json": b'{"text": "x"}'}
INFO: Info = {
    "Source-Organization": "Example",
    "External-Identifier": SCAN.scan,
    "Bagging-Date": "2026-11-21",
}
PROVENANCE = b"""{"artifacts": [
{"name": "pdf_report.pdf", "kind": "pdf_report"},
{"name": "results/2a1b402420.json", "kind": "results"},
{"name": "ai_detection.json", "kind": "ai_detection"}]}"""


def described(payload: Mapping[str, bytes]) -> list[PayloadFile]:
    return [
        PayloadFile(name, len(data), hashlib.sha256(data).hexdigest())
        for name, data in payload.items()
    ]


async def deliver(store: Store, prefix: str, payload: Mapping[str, bytes]) -> list[PayloadFile]:
    for name, data in payload.items():
        await store.put(payload_key(prefix, name), pieces(data))
    return described(payload)


async def make_bag(
    store: Store,
    prefix: str = PREFIX,
    payload: Mapping[str, bytes] = PAYLOAD,
    info: Info = INFO,
    provenance: bytes = PROVENANCE,
) -> Bag:
    return await seal(store, prefix, await deliver(store, prefix, payload), info, provenance)
