import asyncio
import re
import subprocess
from collections.abc import AsyncIterable
from hashlib import sha256
from pathlib import Path

import bagit
import pytest

from export_pipeline.archive.audit import audit
from export_pipeline.archive.bag import BagListing, bags, seal
from export_pipeline.archive.layout import SEAL_NAME, bag_prefix, seal_key
from export_pipeline.archive.sealed import read_sealed
from export_pipeline.archive.tags import Info, read_info
from export_pipeline.errors import BadInput, StoreError, StoreUnavailable
from export_pipeline.scans import ScanKey
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject, pieces
from export_pipeline_tests.archive.bags import (
    HOSTILE_ID,
    INFO,
    PAYLOAD,
    PREFIX,
    PROVENANCE,
    deliver,
    described,
    make_bag,
)

HOSTILE_PREFIX = bag_prefix(ScanKey("copyleaks", "Second Account", HOSTILE_ID), 3)
PARTIAL: Info = {**INFO, "Export-Missing": ["ai_detection.json: refused", "overview.json"]}
HOSTILE_INFO: Info = {**INFO, "External-Identifier": f"{HOSTILE_ID}\r\nPayload-Oxum: 1.1"}


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


@pytest.mark.parametrize(
    ("prefix", "payload", "info"),
    [
        (PREFIX, PAYLOAD, INFO),
        (HOSTILE_PREFIX, PAYLOAD, HOSTILE_INFO),
        (PREFIX, {"pdf_report.pdf": b""}, PARTIAL),
        (PREFIX, {}, PARTIAL),
    ],
    ids=["archived", "hostile id", "partial", "no files"],
)
def test_a_sealed_bag_is_valid_to_bagit_and_to_sha256sum(
    tmp_path: Path, store: LocalStore, prefix: str, payload: dict[str, bytes], info: Info
) -> None:
    sealed = asyncio.run(make_bag(store, prefix, payload, info))
    assert (sealed.files, sealed.bytes) == (len(payload), sum(map(len, payload.values())))
    folder = tmp_path / prefix
    # BagIt asks for the folder that object stores do not have while it is empty.
    (folder / "data").mkdir(exist_ok=True)
    found = bagit.Bag(str(folder))
    found.validate()
    assert found.info["Payload-Oxum"] == f"{sealed.bytes}.{sealed.files}"
    assert found.info["Source-Organization"] == "Example"
    for manifest in [SEAL_NAME] + ["manifest-sha256.txt"] * bool(payload):
        subprocess.run(
            ["sha256sum", "--check", "--strict", manifest],
            cwd=folder,
            check=True,
            capture_output=True,
        )


def test_what_was_sealed_is_read_back(tmp_path: Path, store: LocalStore) -> None:
    asyncio.run(make_bag(store, info=PARTIAL))
    tags = asyncio.run(read_sealed(store, PREFIX))
    assert tags.payload == {file.name: file.sha256 for file in described(PAYLOAD)}
    assert tags.seal_sha256 == sha256((tmp_path / PREFIX / SEAL_NAME).read_bytes()).hexdigest()
    assert tags.provenance == PROVENANCE
    info = read_info((tmp_path / PREFIX / "bag-info.txt").read_bytes(), PREFIX)
    assert info["Export-Missing"] == ("ai_detection.json: refused", "overview.json")
    assert info["Payload-Oxum"] == ("25.2",)


class CrashingStore(LocalStore):
    """Dies at its nth put, before or after the object is there."""

    def __init__(self, root: Path, *, at: int, after: bool) -> None:
        super().__init__(root)
        self._puts_left = at
        self._after = after

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        self._puts_left -= 1
        if self._puts_left <= 0 and not self._after:
            raise StoreUnavailable(f"died before {key}")
        stored = await super().put(key, chunks, content_type=content_type)
        if self._puts_left <= 0:
            raise StoreUnavailable(f"died after {key}")
        return stored


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
def test_a_seal_interrupted_at_any_write_is_finished_by_the_same_call(
    tmp_path: Path, at: int, after: bool
) -> None:
    store = LocalStore(tmp_path)
    payload = asyncio.run(deliver(store, PREFIX, PAYLOAD))
    with pytest.raises(StoreUnavailable):
        asyncio.run(
            seal(CrashingStore(tmp_path, at=at, after=after), PREFIX, payload, INFO, PROVENANCE)
        )
    is_sealed = asyncio.run(store.stat(seal_key(PREFIX))) is not None
    assert is_sealed == (at == 5 and after)
    resumed = asyncio.run(seal(store, PREFIX, payload, INFO, PROVENANCE))
    repeated = asyncio.run(seal(store, PREFIX, payload[::-1], INFO, PROVENANCE))
    assert resumed == repeated
    assert asyncio.run(audit(store, PREFIX)).passed
    bagit.Bag(str(tmp_path / PREFIX)).validate()


def test_the_seal_is_the_last_object_written(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=SEAL_NAME):
        asyncio.run(seal(CrashingStore(tmp_path, at=5, after=False), PREFIX, [], INFO, PROVENANCE))


def test_a_bag_sealed_otherwise_is_left_and_the_difference_told(store: LocalStore) -> None:
    asyncio.run(make_bag(store))
    for info, provenance, named in (
        ({**INFO, "Bagging-Date": "2030-01-01"}, PROVENANCE, "bag-info.txt.*line 3.*2026.*2030"),
        (INFO, b"{}", "provenance.json"),
    ):
        with pytest.raises(StoreError, match=named):
            asyncio.run(seal(store, PREFIX, described(PAYLOAD), info, provenance))
    with pytest.raises(StoreError, match=r"manifest-sha256\.txt.*absent in this seal|bag-info"):
        asyncio.run(seal(store, PREFIX, described(PAYLOAD)[:1], INFO, PROVENANCE))
    assert asyncio.run(audit(store, PREFIX)).passed


def test_two_payload_files_of_one_name_are_refused_before_anything_is_written(
    store: LocalStore,
) -> None:
    payload = described({"a": b"1"}) * 2
    with pytest.raises(BadInput, match="same name"):
        asyncio.run(seal(store, PREFIX, payload, INFO, PROVENANCE))
    assert asyncio.run(_listings(store)) == []


@pytest.mark.parametrize("name", [SEAL_NAME, "manifest-sha256.txt", "provenance.json"])
def test_a_sealed_bag_whose_tag_files_are_damaged_is_an_error_that_names_the_file(
    tmp_path: Path, store: LocalStore, name: str
) -> None:
    asyncio.run(make_bag(store))
    (tmp_path / PREFIX / name).write_bytes(b"[")
    with pytest.raises(BadInput, match=re.escape(name)):
        asyncio.run(read_sealed(store, PREFIX))
    (tmp_path / PREFIX / name).unlink()
    with pytest.raises(BadInput, match=f"{re.escape(name)} is missing"):
        asyncio.run(read_sealed(store, PREFIX))


async def _listings(store: LocalStore, prefix: str = "") -> list[BagListing]:
    return [listing async for listing in bags(store, prefix)]


def test_bags_are_found_one_by_one_and_other_objects_passed_over(store: LocalStore) -> None:
    async def scenario() -> None:
        await make_bag(store, bag_prefix(ScanKey("copyleaks", "default", "b"), 1), {"x": b"12"})
        await make_bag(store, bag_prefix(ScanKey("copyleaks", "default", "a"), 10), {})
        await deliver(store, bag_prefix(ScanKey("copyleaks", "default", "a"), 2), {"x": b"1"})
        await store.put("catalog/2026.parquet", pieces(b""))
        await store.put("copyleaks/default/readme.txt", pieces(b""))
        await store.put("zzz", pieces(b""))
        found = await _listings(store)
        assert [(listing.prefix, listing.sealed) for listing in found] == [
            ("copyleaks/default/a/10/", True),
            ("copyleaks/default/a/2/", False),
            ("copyleaks/default/b/1/", True),
        ]
        assert found[1].sizes == {"data/x": 1}
        assert [listing.prefix for listing in await _listings(store, "copyleaks/default/b")] == [
            "copyleaks/default/b/1/"
        ]

    asyncio.run(scenario())
