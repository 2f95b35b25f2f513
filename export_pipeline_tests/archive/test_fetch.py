"""Bags fetched into a folder: valid there for any BagIt tool, or it is told why not."""

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import bagit
import pytest

from export_pipeline.archive.bag import PayloadFile, seal
from export_pipeline.archive.fetch import Fetched, WantedBag, fetch
from export_pipeline.archive.layout import SEAL_NAME, bag_prefix, payload_key
from export_pipeline.archive.signature import SIGNATURE_NAME
from export_pipeline.archive.tags import MANIFEST_NAME, write_manifest
from export_pipeline.scans import ScanKey
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.open import open_store
from export_pipeline.storage.store import Store, pieces
from export_pipeline.transfer.folder import Folder
from export_pipeline_tests.archive.bags import HOSTILE_ID, INFO, PAYLOAD, PREFIX, make_bag
from export_pipeline_tests.servers.seaweedfs import SeaweedFS

HOSTILE = bag_prefix(ScanKey("copyleaks", "team-b", HOSTILE_ID), 7)
ODD_NAMES = {
    # Without %, which bagit.py does not read back (RFC 8493 part 2.1.3) and no vendor's name has.
    f"{HOSTILE_ID.replace('/', '').replace('%', '')} =2e.pdf": b"%PDF",
    "é/ü.txt": b"\xc3\xbc",
    "a b/c": b"",
}
LARGE_MEGABYTES = 200


def get(store: Store, root: Path, *prefixes: str, seal_sha256: str = "") -> Fetched:
    told: list[int] = []

    async def each():
        for prefix in prefixes:
            yield WantedBag(prefix, 0, seal_sha256)

    was_begun = any(root.rglob("*.partial"))
    fetched = asyncio.run(fetch(store, Folder(root), each(), told.append))
    # What was begun and lies there whole is named without being read.
    assert was_begun or sum(told) >= fetched.bytes
    return fetched


def made(root: Path, prefix: str = PREFIX, payload: Mapping[str, bytes] = PAYLOAD) -> LocalStore:
    store = LocalStore(root)
    asyncio.run(make_bag(store, prefix, payload))
    return store


@pytest.mark.parametrize(
    ("prefix", "payload"), [(PREFIX, PAYLOAD), (HOSTILE, ODD_NAMES), (PREFIX, {})]
)
def test_a_fetched_bag_is_valid_for_any_bagit_reader(
    tmp_path: Path, prefix: str, payload: Mapping[str, bytes]
) -> None:
    fetched = get(made(tmp_path / "store", prefix, payload), tmp_path / "to", prefix)
    assert (fetched.bags, fetched.files, fetched.problems) == (1, len(payload) + 5, [])
    folder = tmp_path / "to" / prefix
    bagit.Bag(str(folder)).validate()
    if payload:
        check = ["sha256sum", "--strict", "-c", MANIFEST_NAME]
        subprocess.run(check, cwd=folder, check=True, capture_output=True)
    assert (folder / SEAL_NAME).exists()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_second_fetch_reads_only_what_is_lacking(tmp_path: Path) -> None:
    store = made(tmp_path / "store")
    first = get(store, tmp_path / "to", PREFIX)
    (tmp_path / "to" / PREFIX / "data/pdf_report.pdf").unlink()
    again = get(store, tmp_path / "to", PREFIX)
    assert (first.kept, again.kept) == (0, first.files - 1)
    assert (again.bags, again.files, again.bytes) == (1, first.files, first.bytes)


def test_a_file_that_was_begun_goes_on_from_an_object_store(
    tmp_path: Path, seaweedfs: SeaweedFS
) -> None:
    store = open_store(f"s3://{seaweedfs.new_bucket()}/my archive", seaweedfs.variables())
    payload = {**ODD_NAMES, "large.bin": os.urandom(3_000_000)}
    asyncio.run(make_bag(store, HOSTILE, payload))
    begun = (tmp_path / "to" / HOSTILE).with_name("7.partial") / "data/large.bin"
    begun.parent.mkdir(parents=True)
    begun.write_bytes(payload["large.bin"][:2_000_000])
    assert get(store, tmp_path / "to", HOSTILE).problems == []
    bagit.Bag(str(tmp_path / "to" / HOSTILE)).validate()
    assert not begun.exists()


def test_a_signature_comes_along(tmp_path: Path) -> None:
    store = made(tmp_path / "store")
    asyncio.run(store.put(PREFIX + SIGNATURE_NAME, pieces(b"64 bytes")))
    assert get(store, tmp_path / "to", PREFIX).problems == []
    assert (tmp_path / "to" / PREFIX / SIGNATURE_NAME).read_bytes() == b"64 bytes"


@pytest.mark.parametrize("name", ["data/pdf_report.pdf", "bag-info.txt", MANIFEST_NAME])
def test_one_flipped_bit_leaves_the_bag_without_its_seal_and_is_put_beside_it(
    tmp_path: Path, name: str
) -> None:
    store = made(tmp_path / "store")
    file = tmp_path / "store" / PREFIX / name
    data = bytearray(file.read_bytes())
    data[3] ^= 1
    file.write_bytes(data)
    fetched = get(store, tmp_path / "to", PREFIX)
    (problem,) = fetched.problems
    assert (fetched.bags, fetched.failed) == (0, [PREFIX])
    assert problem.startswith(f"{PREFIX}{name}: it was sealed with sha256 ")
    folder = tmp_path / "to" / PREFIX
    assert (folder.with_name("1.damaged") / name).read_bytes() == data
    assert not (folder / name).exists()
    assert not (folder / SEAL_NAME).exists()
    assert (folder / "provenance.json").exists()


def test_a_file_that_is_gone_is_named_and_the_others_come(tmp_path: Path) -> None:
    store = made(tmp_path / "store")
    asyncio.run(store.delete(payload_key(PREFIX, "pdf_report.pdf")))
    (problem,) = get(store, tmp_path / "to", PREFIX).problems
    assert f"{PREFIX}data/pdf_report.pdf: there is no" in problem
    assert (tmp_path / "to" / PREFIX / "data/results/2a1b402420.json").exists()


@pytest.mark.parametrize("seal_bytes", [None, b"no manifest", b"", b"\xff"])
def test_a_bag_whose_seal_is_not_there_or_says_nothing_is_not_fetched(
    tmp_path: Path, seal_bytes: bytes | None
) -> None:
    store = made(tmp_path / "store")
    (tmp_path / "store" / PREFIX / SEAL_NAME).unlink()
    if seal_bytes is not None:
        (tmp_path / "store" / PREFIX / SEAL_NAME).write_bytes(seal_bytes)
    fetched = get(store, tmp_path / "to", PREFIX)
    assert (fetched.bags, fetched.failed, len(fetched.problems)) == (0, [PREFIX], 1)
    assert SEAL_NAME in fetched.problems[0]
    assert not (tmp_path / "to" / PREFIX / SEAL_NAME).exists()


def test_a_bag_whose_seal_is_not_the_one_that_was_written_is_not_fetched(tmp_path: Path) -> None:
    store = made(tmp_path / "store")
    seal_bytes = (tmp_path / "store" / PREFIX / SEAL_NAME).read_bytes()
    digest = hashlib.sha256(seal_bytes).hexdigest()
    (problem,) = get(store, tmp_path / "to", PREFIX, seal_sha256="0" * 64).problems
    assert problem == f"{PREFIX}: {SEAL_NAME} is not the seal that the ledger recorded"
    assert get(store, tmp_path / "to", PREFIX, seal_sha256=digest).problems == []


def test_the_bags_after_a_failed_one_come_all_the_same(tmp_path: Path) -> None:
    store = made(tmp_path / "store", HOSTILE, ODD_NAMES)
    fetched = get(store, tmp_path / "to", PREFIX, HOSTILE)
    assert (fetched.bags, fetched.failed) == (1, [PREFIX])
    bagit.Bag(str(tmp_path / "to" / HOSTILE)).validate()


def seal_by_hand(store: Store, manifest: Mapping[str, str]) -> None:
    """What somebody seals who may write to the store: a manifest of any paths."""

    async def scenario() -> None:
        await make_bag(store, PREFIX, {})
        await store.delete(PREFIX + MANIFEST_NAME)
        await store.delete(PREFIX + SEAL_NAME)
        written = write_manifest(manifest)
        await store.put(PREFIX + MANIFEST_NAME, pieces(written))
        tags = {MANIFEST_NAME: hashlib.sha256(written).hexdigest()}
        await store.put(PREFIX + SEAL_NAME, pieces(write_manifest(tags)))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "path", ["../../../../../evil", "/etc/evil", "data/../../evil", "data//x", ".", "data/a\\b"]
)
def test_no_path_of_a_manifest_leaves_the_folder(tmp_path: Path, path: str) -> None:
    store = LocalStore(tmp_path / "store")
    seal_by_hand(store, {path: "0" * 64})
    before = {*tmp_path.rglob("*")}
    (problem,) = get(store, tmp_path / "to", PREFIX).problems
    assert "is not a key" in problem
    new = {*tmp_path.rglob("*")} - before
    assert all(one.is_relative_to(tmp_path / "to") for one in new)
    assert not [one for one in new if "evil" in one.name]


def test_a_name_that_cannot_be_is_told_and_the_others_come(tmp_path: Path) -> None:
    class Wide(LocalStore):
        """Holds any name, as object stores do."""

        async def open(self, key: str, *, offset: int = 0):
            async for piece in super().open(key.replace("x" * 300, "long"), offset=offset):
                yield piece

    store = Wide(tmp_path / "store")
    data = {"x" * 300: b"1", "short": b"2"}

    async def scenario() -> None:
        for name in ("long", "short"):
            await store.put(payload_key(PREFIX, name), pieces(data.get(name, b"1")))
        files = [
            PayloadFile(name, 1, hashlib.sha256(one).hexdigest()) for name, one in data.items()
        ]
        await seal(store, PREFIX, files, INFO, b"{}")

    asyncio.run(scenario())
    (problem,) = get(store, tmp_path / "to", PREFIX).problems
    assert "File name too long: no such name can be there" in problem
    assert (tmp_path / "to" / PREFIX / "data/short").read_bytes() == b"2"


def test_names_that_a_file_system_takes_for_one_are_told_apart(tmp_path: Path) -> None:
    """Such a file system shows the first under the second's name too."""
    names = {"Report.pdf": b"one", "report.PDF": b"other"}
    store = made(tmp_path / "store", PREFIX, names)
    folder = tmp_path / "to" / PREFIX / "data"
    folder.mkdir(parents=True)
    (folder / "report.PDF").write_bytes(b"one")
    (problem,) = get(store, tmp_path / "to", PREFIX).problems
    assert "has the same name but for capitals" in problem
    assert (folder / "report.PDF").read_bytes() == b"one"


def test_a_file_that_is_not_of_the_bag_is_named_and_left(tmp_path: Path) -> None:
    store = made(tmp_path / "store")
    (tmp_path / "to" / PREFIX / "data").mkdir(parents=True)
    (tmp_path / "to" / PREFIX / "data/notes.txt").write_text("mine")
    (problem,) = get(store, tmp_path / "to", PREFIX).problems
    assert problem == (
        f"{PREFIX}data/notes.txt: it is not of this bag: move it away, and fetch again"
    )
    assert not (tmp_path / "to" / PREFIX / SEAL_NAME).exists()


_SCRIPT = """
import asyncio, sys
from pathlib import Path
from export_pipeline.archive.fetch import WantedBag, fetch
from export_pipeline.storage.local import LocalStore
from export_pipeline.transfer.folder import Folder
async def each(prefix):
    yield WantedBag(prefix, 0)
def get(prefix):
    to = Folder(Path(sys.argv[2]))
    assert not asyncio.run(fetch(LocalStore(Path(sys.argv[1])), to, each(prefix), abs)).problems
def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
get(sys.argv[3])
before = peak()
get(sys.argv[4])
print((peak() - before) // 1024)
"""


_STUCK = """
import asyncio, sys
from pathlib import Path
from export_pipeline.archive.fetch import WantedBag, fetch
from export_pipeline.storage.local import LocalStore
from export_pipeline.transfer.folder import Folder
class Stuck(LocalStore):
    async def open(self, key, *, offset=0):
        async for piece in super().open(key, offset=offset):
            yield piece
            if key.endswith("/3.bin"):
                print("written", flush=True)
                await asyncio.Event().wait()
async def each():
    yield WantedBag(sys.argv[3], 0)
asyncio.run(fetch(Stuck(Path(sys.argv[1])), Folder(Path(sys.argv[2])), each(), abs))
"""


def test_a_process_that_was_killed_leaves_nothing_half_written_and_the_next_goes_on(
    tmp_path: Path,
) -> None:
    large = {f"{number}.bin": os.urandom(3_000_000) for number in range(4)}
    store = made(tmp_path / "store", HOSTILE, large)
    folder = tmp_path / "to" / HOSTILE
    script = [sys.executable, "-c", _STUCK, str(tmp_path / "store"), str(tmp_path / "to"), HOSTILE]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.kill()
    begun = [path.stat().st_size for path in _partial(folder) if path.name == "3.bin"]
    assert 0 < sum(begun) < len(large["3.bin"])
    assert not (folder / SEAL_NAME).exists()
    for path in (folder / "data").glob("*"):
        assert path.read_bytes() == large[path.name]
    assert get(store, tmp_path / "to", HOSTILE).problems == []
    bagit.Bag(str(folder)).validate()
    assert not _partial(folder)


def _partial(folder: Path) -> list[Path]:
    return list(folder.with_name(f"{folder.name}.partial").glob("data/*"))


def test_a_large_file_needs_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    large = {str(number): bytes(LARGE_MEGABYTES << 18) for number in range(4)}
    made(tmp_path / "store", HOSTILE, large)
    made(tmp_path / "store")
    script = [sys.executable, "-c", _SCRIPT, str(tmp_path / "store"), str(tmp_path / "to")]
    told = subprocess.run([*script, PREFIX, HOSTILE], check=True, capture_output=True, text=True)
    assert int(told.stdout) < 32
