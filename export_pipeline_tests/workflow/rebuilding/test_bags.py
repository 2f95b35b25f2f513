"""Bags from which nothing can be rebuilt: each is named, and left as it is."""

import asyncio
import shutil

import pytest

from export_pipeline.ledger.database import Ledger
from export_pipeline_tests.archive.bags import PREFIX, PROVENANCE, make_bag
from export_pipeline_tests.workflow.rebuilding.homes import (
    HOSTILE,
    again,
    histories,
)
from export_pipeline_tests.workflow.stepped import Stepped


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("provenance.json", None, "provenance.json is missing"),
        ("provenance.json", b"{}", "provenance.json is not what was sealed"),
        ("manifest-sha256.txt", None, "manifest-sha256.txt is missing"),
        ("manifest-sha256.txt", b"", "manifest-sha256.txt is not what was sealed"),
        ("tagmanifest-sha256.txt", b"\xff", "tagmanifest-sha256.txt: not UTF-8"),
        ("tagmanifest-sha256.txt", b"", "manifest-sha256.txt is not what was sealed"),
    ],
)
def test_a_bag_whose_tag_files_cannot_be_read_is_named_and_left_as_it_is(
    home: Stepped, empty: Ledger, name: str, data: bytes | None, why: str
) -> None:
    bad, good = home.archived(HOSTILE[0]), home.archived("good")
    file = home.folder(bad) / name
    file.chmod(0o644)
    file.unlink() if data is None else file.write_bytes(data)
    before = sorted(home.folder(bad).rglob("*"))
    done = again(home, empty)
    assert done.needs_person
    [(folder, reason)] = done.unreadable.kept
    assert folder == "copyleaks/default/a=2f=2e=2e=2fb=252f=3b=3a=22=3cx=3e/1/"
    assert reason.startswith(why)
    assert set(histories(empty)) == {good.key}
    assert sorted(home.folder(bad).rglob("*")) == before


@pytest.mark.parametrize(("provenance", "kind"), [(PROVENANCE, "KeyError"), (b"[", "JSONDecode")])
def test_a_provenance_that_was_sealed_and_that_nobody_here_wrote_is_named(
    home: Stepped, empty: Ledger, provenance: bytes, kind: str
) -> None:
    asyncio.run(make_bag(home.store, provenance=provenance))
    [(folder, reason)] = again(home, empty).unreadable.kept
    assert folder == PREFIX
    assert reason.startswith(f"provenance.json is not as this release writes it: {kind}")


def test_a_bag_whose_manifest_and_provenance_differ_is_named(home: Stepped, empty: Ledger) -> None:
    scan = home.archived("scan-1")
    provenance = (home.folder(scan) / "provenance.json").read_bytes()
    shutil.rmtree(home.folder(scan))
    asyncio.run(make_bag(home.store, provenance=provenance))
    [(folder, reason)] = again(home, empty).unreadable.kept
    assert folder == PREFIX
    assert reason == "its provenance and its manifest name other files"


def test_a_bag_in_the_folder_of_another_scan_is_named(home: Stepped, empty: Ledger) -> None:
    moved = home.folder(home.archived("essay"))
    moved.parent.rename(moved.parent.parent / "other")
    done = again(home, empty)
    [(folder, reason)] = done.unreadable.kept
    assert folder == "copyleaks/default/other/1/"
    assert reason == ("it is generation 1 of copyleaks/default/essay, and lies in another's folder")


def test_folders_that_this_release_did_not_write_are_named(home: Stepped, empty: Ledger) -> None:
    for folder in ("elsewhere/default/essay/1", "copyleaks/default/=ESSAY/1"):
        (home.home / "archive" / folder).mkdir(parents=True)
        (home.home / "archive" / folder / "file").write_bytes(b"x")
    done = again(home, empty)
    reasons = dict(done.unreadable.kept)
    assert reasons["elsewhere/default/essay/1/"] == "this release knows no vendor 'elsewhere'"
    assert "is not an escaped id" in reasons["copyleaks/default/=ESSAY/1/"]


def test_generations_without_a_seal_are_named_unless_the_ledger_knows_them(
    home: Stepped, empty: Ledger
) -> None:
    scan = home.ordered("under way")
    home.upload(home.newest(scan))
    assert again(home, empty).unsealed.kept == [
        ("copyleaks/default/under=20way/1/", "it has no seal")
    ]
    assert again(home, home.ledger).unsealed.count == 0
    assert histories(empty) == {}
