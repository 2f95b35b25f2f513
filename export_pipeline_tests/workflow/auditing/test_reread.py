"""Materialize on a sealed scan judges the whole bag, its seal too, as `verify` does."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from export_pipeline.archive.fixity_records import FixityRecord, read_records
from export_pipeline.errors import StoreUnavailable
from export_pipeline.ledger.rows import Scan
from export_pipeline.storage.local import LocalStore
from export_pipeline.workflow.reread import reread
from export_pipeline_tests.archive.signing import private_pem
from export_pipeline_tests.workflow.stepped import Stepped, stepped

HOSTILE = 'a/../b%2f;:"<x> =2e ü'
SEAL = "tagmanifest-sha256.txt"


@pytest.fixture
def signing(tmp_path: Path) -> Iterator[Stepped]:
    """A home whose bags are signed."""
    key = SecretStr(private_pem(Ed25519PrivateKey.generate()))
    with stepped(tmp_path / "home", signing_key=key) as made:
        yield made


def problems(home: Stepped, *scans: Scan, run_id: str = "a-run-id") -> dict[int, list[str]]:
    return home.run(lambda pipeline: reread(pipeline, scans, run_id))


def altered(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("data/overview.json", altered, "data/overview.json changed since it was sealed"),
        ("data/overview.json", Path.unlink, "data/overview.json was sealed and is missing"),
        ("data/more.json", Path.touch, "data/more.json is there and was never sealed"),
        ("bag-info.txt", altered, "bag-info.txt changed since it was sealed"),
        ("bagit.txt", Path.unlink, "bagit.txt was sealed and is missing"),
        ("provenance.json", altered, "provenance.json changed since it was sealed"),
        (SEAL, altered, "its seal is not the one with which it was sealed"),
        (SEAL, Path.unlink, "it has no seal"),
        (f"{SEAL}.sig", altered, "its signature does not hold"),
        (f"{SEAL}.sig", Path.unlink, "its signature is missing"),
    ],
)
def test_damage_to_any_part_of_a_sealed_bag_is_told_noted_and_left_as_it_is(
    signing: Stepped, name: str, damage: Callable[[Path], None], words: str
) -> None:
    broken, whole = signing.archived(HOSTILE), signing.archived("whole")
    damage(signing.folder(broken) / name)
    before = files(signing.folder(broken))
    told = problems(signing, broken, whole)
    assert set(told) == {broken.id}
    assert any(words in problem for problem in told[broken.id])
    assert files(signing.folder(broken)) == before
    assert words in signing.generation(broken).damage
    assert signing.generation(whole).damage == ""
    assert signing.history(broken)[-1].event == "verified again"
    assert signing.history(broken)[-1].detail["passed"] is False


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_whole_bags_are_noted_as_verified_in_the_ledger_and_in_the_store(home: Stepped) -> None:
    scans = [home.archived(HOSTILE), home.archived("other")]
    home.now += 100
    assert problems(home, *scans) == {}
    assert [home.generation(scan).audited_at for scan in scans] == [home.now] * 2
    assert [home.events(scan)[-1] for scan in scans] == ["verified again"] * 2
    kept = asyncio.run(records(home))
    assert {(one.scan, one.audited_at, one.damage) for one in kept} == {
        (scan.key, home.now, "") for scan in scans
    }


async def records(home: Stepped) -> list[FixityRecord]:
    return [one async for one in read_records(home.store, pytest.fail)]


def test_a_bag_that_was_mended_is_whole_again(home: Stepped) -> None:
    scan = home.archived(HOSTILE)
    file = home.folder(scan) / "bag-info.txt"
    altered(file)
    assert problems(home, scan)
    altered(file)
    assert problems(home, scan, run_id="another-run") == {}
    assert home.generation(scan).damage == ""


class Cut(LocalStore):
    """A store that cannot be listed now."""

    def list(self, prefix: str = "") -> object:  # type: ignore[override]
        raise StoreUnavailable(f"{prefix}: time-out")


def test_a_bag_that_cannot_be_read_now_fails_and_is_not_called_damaged(home: Stepped) -> None:
    scan = home.archived(HOSTILE)
    store = Cut(home.home / "archive")
    told = home.run(lambda pipeline: reread(pipeline, [scan], "a-run-id"), store=store)
    assert "it could not be read: " in told[scan.id][0]
    assert home.generation(scan).damage == ""
    assert home.generation(scan).audited_at is None
