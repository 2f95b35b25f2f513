"""Sealed bags with their rows in the ledger, made without a vendor, and ways to damage them."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from export_pipeline.archive.bag import seal
from export_pipeline.archive.layout import bag_prefix, payload_key
from export_pipeline.archive.signature import NO_KEYS, Keys
from export_pipeline.archive.tags import read_manifest, write_manifest
from export_pipeline.ledger import artifacts, generations, registry
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import ArtifactState
from export_pipeline.scans import ScanKey
from export_pipeline.storage.store import Store, StoredObject, pieces
from export_pipeline_tests.archive.bags import PAYLOAD, described
from export_pipeline_tests.storage.conformance import read

SEAL, SIGNATURE = "tagmanifest-sha256.txt", "tagmanifest-sha256.txt.sig"
MANIFEST, INFO = "manifest-sha256.txt", "bag-info.txt"
REPORT = "data/pdf_report.pdf"


@dataclass(frozen=True)
class Archive:
    """A ledger and a store that agree."""

    ledger: Ledger
    store: Store

    async def add(
        self,
        scan: str,
        payload: Mapping[str, bytes] = PAYLOAD,
        keys: Keys = NO_KEYS,
        vendor: str = "copyleaks",
    ) -> str:
        """Seal one more generation of a scan; return its folder."""
        key = ScanKey(vendor, "default", scan)
        number = await self.ledger.apply(_open, key)
        prefix = bag_prefix(key, number)
        stored = {
            name: await self.store.put(payload_key(prefix, name), pieces(data))
            for name, data in payload.items()
        }
        looked = {name: await self.store.stat(one.key) for name, one in stored.items()}
        files = described(payload)
        facts = [
            {
                "name": file.name,
                "kind": "results",
                "sha256": file.sha256,
                "store_checksum": _checksum(looked[file.name]),
            }
            for file in files
        ]
        provenance = json.dumps({"artifacts": facts}).encode()
        info = {"External-Identifier": scan, "Bagging-Date": "2026-11-21"}
        made = await seal(self.store, prefix, files, info, provenance, keys)
        await self.ledger.apply(_seal, key, number, payload, made.seal_sha256)
        return prefix

    async def replace(self, key: str, change: Callable[[bytes], bytes]) -> bytes:
        """Put other bytes where some are, as nobody should; return them."""
        data = change(await read(self.store, key))
        await self.store.delete(key)
        await self.store.put(key, pieces(data))
        return data

    async def rewrite(self, prefix: str, name: str, changed: Mapping[str, bytes]) -> bytes:
        """Have a manifest say of some files what is true of them now."""

        def change(data: bytes) -> bytes:
            digests = read_manifest(data, name)
            found = {path: hashlib.sha256(one).hexdigest() for path, one in changed.items()}
            return write_manifest(digests | found)

        return await self.replace(prefix + name, change)


def flip_a_bit(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def _checksum(stored: StoredObject | None) -> str | None:
    return stored.checksum if stored else None


def _open(tx: Tx, key: ScanKey) -> int:
    scan, _ = registry.register(tx, key, source="test")
    return generations.open_next(tx, scan, wants_bag=True)


def _seal(tx: Tx, key: ScanKey, number: int, payload: Mapping[str, bytes], sha256: str) -> None:
    scan = registry.get(tx, key)
    common = {"scan_id": scan.id, "generation": number, "kind": "results", "vendor_name": ""}
    settled = {"availability": "expected", "state": ArtifactState.VERIFIED, "reason": ""}
    artifacts.insert(
        tx,
        [
            {**common, **settled, "name": file.name, "size": file.size, "sha256": file.sha256}
            for file in described(payload)
        ],
    )
    size = sum(map(len, payload.values()))
    generations.freeze(tx, scan.id, number, "archived", len(payload), size)
    assert generations.sealed(tx, scan.id, number, sha256)
