"""Signed bags: valid for everybody's tools, and nothing about them can be changed unseen."""

import asyncio
import hashlib
import subprocess
from collections.abc import AsyncIterable, Callable
from contextlib import suppress
from pathlib import Path

import bagit
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from export_pipeline.archive.audit import audit
from export_pipeline.archive.bag import Bag, seal
from export_pipeline.archive.layout import SEAL_NAME
from export_pipeline.archive.signature import KEY_LABEL, NO_KEYS, SIGNATURE_NAME, Keys
from export_pipeline.archive.tags import INFO_NAME
from export_pipeline.errors import AlreadyExists, StoreError, StoreUnavailable
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject, pieces
from export_pipeline_tests.archive.bags import INFO, PAYLOAD, PREFIX, PROVENANCE, deliver, described
from export_pipeline_tests.archive.signing import private_pem, public_pem, signing
from export_pipeline_tests.archive.test_bag import CrashingStore

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
KEYS = signing(KEY)
PUTS = 6
"""Objects that sealing writes: four tag files, the signature, the seal."""


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


@pytest.fixture
def folder(tmp_path: Path, store: LocalStore) -> Path:
    make(store, KEYS)
    return tmp_path / PREFIX


def make(store: LocalStore, keys: Keys) -> None:
    async def scenario() -> None:
        payload = await deliver(LocalStore(store._root), PREFIX, PAYLOAD)
        await seal(store, PREFIX, payload, INFO, PROVENANCE, keys)

    asyncio.run(scenario())


def finish(store: LocalStore, keys: Keys) -> Bag:
    return asyncio.run(seal(store, PREFIX, described(PAYLOAD), INFO, PROVENANCE, keys))


def problems(store: LocalStore, keys: Keys = KEYS) -> str:
    return "\n".join(asyncio.run(audit(store, PREFIX, keys)).problems)


def openssl(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["openssl", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_a_signed_bag_is_valid_to_bagit_and_its_signature_to_openssl(
    tmp_path: Path, folder: Path
) -> None:
    bag = bagit.Bag(str(folder))
    bag.validate()
    (tmp_path / "key.pem").write_text(public_pem(KEY.public_key()))
    verify = ("pkeyutl", "-verify", "-pubin", "-inkey", tmp_path / "key.pem", "-rawin")
    files = ("-in", "tagmanifest-sha256.txt", "-sigfile", SIGNATURE_NAME)
    assert openssl(*verify, *files, cwd=folder).returncode == 0
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", tmp_path / "key.pem", "-outform", "DER"],
        check=True,
        capture_output=True,
    ).stdout
    assert bag.info[KEY_LABEL] == hashlib.sha256(der).hexdigest() == KEYS.signing_id
    (folder / "tagmanifest-sha256.txt").write_text("0" * 64 + "  bag-info.txt\n")
    assert openssl(*verify, *files, cwd=folder).returncode != 0


def test_a_signed_bag_passes_and_its_signature_is_not_called_untracked(
    folder: Path, store: LocalStore
) -> None:
    assert (folder / SIGNATURE_NAME).stat().st_size == 64
    assert SIGNATURE_NAME not in (folder / "tagmanifest-sha256.txt").read_text()
    assert problems(store) == ""


def test_an_unsigned_bag_passes_although_a_key_is_set_now(store: LocalStore) -> None:
    make(store, NO_KEYS)
    assert problems(store) == ""


def break_signature(folder: Path) -> None:
    path = folder / SIGNATURE_NAME
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def cut_signature(folder: Path) -> None:
    (folder / SIGNATURE_NAME).write_bytes(b"")


def remove_signature(folder: Path) -> None:
    (folder / SIGNATURE_NAME).unlink()


def rewrite_seal(folder: Path) -> None:
    path = folder / "tagmanifest-sha256.txt"
    path.write_text(path.read_text() + f"{hashlib.sha256(b'').hexdigest()}  empty.txt\n")
    (folder / "empty.txt").touch()


def sign_with_another(folder: Path) -> None:
    """As someone would who may write to the store and has a key of his own."""
    info = folder / "bag-info.txt"
    info.write_text(info.read_text().replace(KEYS.signing_id, signing(OTHER).signing_id))
    reseal(folder)
    data = (folder / "tagmanifest-sha256.txt").read_bytes()
    (folder / SIGNATURE_NAME).write_bytes(OTHER.sign(data))


def forget_the_key(folder: Path) -> None:
    info = folder / "bag-info.txt"
    lines = [one for one in info.read_text().splitlines(True) if KEY_LABEL not in one]
    info.write_text("".join(lines))
    reseal(folder)


def reseal(folder: Path) -> None:
    digest = hashlib.sha256((folder / "bag-info.txt").read_bytes()).hexdigest()
    path = folder / "tagmanifest-sha256.txt"
    path.write_text(f"{digest}  bag-info.txt\n" + "".join(path.read_text().splitlines(True)[1:]))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (break_signature, "its signature does not hold"),
        (cut_signature, "its signature does not hold"),
        (remove_signature, "its signature is missing"),
        (rewrite_seal, "its signature does not hold"),
        (sign_with_another, "which is not known here"),
        (forget_the_key, "it has a signature and its bag-info names no key"),
    ],
)
def test_a_bag_whose_signature_does_not_hold_is_told(
    folder: Path, store: LocalStore, damage: Callable[[Path], None], said: str
) -> None:
    damage(folder)
    assert problems(store).startswith(f"{PREFIX}: ")
    assert said in problems(store)


def test_a_signature_of_a_former_key_holds_while_that_key_is_known(
    folder: Path, store: LocalStore
) -> None:
    assert problems(store, signing(OTHER, KEY)) == ""
    assert problems(store, signing(None, OTHER, KEY)) == ""
    told = problems(store, signing(OTHER))
    assert f"it is signed with key {KEYS.signing_id}" in told
    assert "EXPORT_SIGNING_PUBLIC_KEYS" in told


@pytest.mark.parametrize("now", [KEYS, signing(OTHER), NO_KEYS], ids=["same", "rotated", "none"])
@pytest.mark.parametrize("before", [KEYS, NO_KEYS], ids=["signed", "unsigned"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, PUTS))
def test_a_seal_interrupted_at_any_write_is_finished_with_the_key_of_now(
    tmp_path: Path, at: int, after: bool, before: Keys, now: Keys
) -> None:
    """Unless it was begun unsigned: an unsigned seal may arrive yet."""
    with pytest.raises(StoreUnavailable):
        make(CrashingStore(tmp_path, at=at if before is KEYS else min(at, 4), after=after), before)
    is_unsigned = before is NO_KEYS and (tmp_path / PREFIX / INFO_NAME).exists()
    store = LocalStore(tmp_path)
    finish(store, now)
    finish(store, now)
    assert problems(store, now) == ""
    assert (tmp_path / PREFIX / SIGNATURE_NAME).exists() == (bool(now.signing) and not is_unsigned)
    bagit.Bag(str(tmp_path / PREFIX)).validate()


@pytest.mark.parametrize("now", [KEYS, NO_KEYS], ids=["signed", "unsigned"])
def test_a_bag_that_was_begun_unsigned_is_sealed_unsigned(
    tmp_path: Path, store: LocalStore, now: Keys
) -> None:
    with pytest.raises(StoreUnavailable):
        make(CrashingStore(tmp_path, at=PUTS - 1, after=False), NO_KEYS)
    finish(store, now)
    make(LocalStore(tmp_path / "whole"), NO_KEYS)
    for path in (tmp_path / "whole" / PREFIX).rglob("*.*"):
        name = path.relative_to(tmp_path / "whole")
        assert (tmp_path / name).read_bytes() == path.read_bytes()
    assert not (tmp_path / PREFIX / SIGNATURE_NAME).exists()
    assert problems(store, now) == ""


class DyingStore(LocalStore):
    """Dies once it has deleted so many objects."""

    def __init__(self, root: Path, *, at: int) -> None:
        super().__init__(root)
        self._deletes_left = at

    async def delete(self, key: str) -> None:
        await super().delete(key)
        self._deletes_left -= 1
        if not self._deletes_left:
            raise StoreUnavailable(f"died after {key}")


@pytest.mark.parametrize("at", [1, 2])
def test_what_another_key_began_is_replaced_although_that_is_interrupted(
    tmp_path: Path, store: LocalStore, at: int
) -> None:
    with pytest.raises(StoreUnavailable):
        make(CrashingStore(tmp_path, at=PUTS - 1, after=True), KEYS)
    with pytest.raises(StoreUnavailable):
        finish(DyingStore(tmp_path, at=at), signing(OTHER))
    finish(store, signing(OTHER))
    assert problems(store, signing(OTHER)) == ""


class LateStore(LocalStore):
    """Right before its n-th write, one arrives that a stopped process had sent long before."""

    def __init__(self, root: Path, *, at: int, name: str, data: bytes) -> None:
        super().__init__(root)
        self._left, self._key, self._data = at, PREFIX + name, data

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        self._left -= 1
        if self._left == 0:
            with suppress(AlreadyExists):
                await super().put(self._key, pieces(self._data))
        return await super().put(key, chunks, content_type=content_type)


@pytest.mark.parametrize("at", range(1, PUTS * 2))
@pytest.mark.parametrize(
    ("before", "name", "died"),
    [(KEYS, SIGNATURE_NAME, PUTS - 1), (KEYS, SEAL_NAME, PUTS), (NO_KEYS, SEAL_NAME, PUTS - 1)],
    ids=["signature", "seal", "unsigned seal"],
)
def test_a_write_of_another_key_that_arrives_late_leaves_no_bad_bag(
    tmp_path: Path, at: int, before: Keys, name: str, died: int
) -> None:
    """Its process stood still for longer than its lease, in the middle of that write."""
    make(LocalStore(tmp_path / "whole"), before)
    late = (tmp_path / "whole" / PREFIX / name).read_bytes()
    with pytest.raises(StoreUnavailable):
        make(CrashingStore(tmp_path, at=died, after=False), before)
    meeting = LateStore(tmp_path, at=at, name=name, data=late)
    with suppress(StoreError):
        finish(meeting, signing(OTHER, KEY))
    finish(LocalStore(tmp_path), signing(OTHER, KEY))
    with suppress(AlreadyExists):
        asyncio.run(LocalStore(tmp_path).put(PREFIX + name, pieces(late)))
    assert problems(LocalStore(tmp_path), signing(OTHER, KEY)) == ""


@pytest.mark.parametrize("before", [KEYS, NO_KEYS], ids=["signed", "unsigned"])
def test_a_sealed_bag_is_left_as_it_is_when_the_key_has_changed(
    tmp_path: Path, store: LocalStore, before: Keys
) -> None:
    """As when a process died after writing the seal and before telling the ledger."""
    make(store, before)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    sealed = finish(store, before)
    for now in (before, signing(OTHER), NO_KEYS):
        assert finish(store, now) == sealed
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


def test_a_key_shows_itself_in_no_text() -> None:
    secret = private_pem(KEY).splitlines()[1]
    assert secret not in repr(KEYS)
    assert secret not in str(KEYS)
