import asyncio
from pathlib import Path

import pytest

from export_pipeline.archive.audit import AuditReport, audit
from export_pipeline.archive.bag import TAG_NAMES
from export_pipeline.storage.local import LocalStore
from export_pipeline_tests.archive.bags import PAYLOAD, PREFIX, make_bag


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


@pytest.fixture
def folder(tmp_path: Path, store: LocalStore) -> Path:
    asyncio.run(make_bag(store))
    return tmp_path / PREFIX


def report_on(store: LocalStore) -> AuditReport:
    return asyncio.run(audit(store, PREFIX))


def test_an_untouched_bag_passes_and_every_byte_was_read(folder: Path, store: LocalStore) -> None:
    report = report_on(store)
    assert report.passed
    assert report.files == len(PAYLOAD) + len(TAG_NAMES)
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert report.bytes == sum(
        path.stat().st_size for path in written if path.name != "tagmanifest-sha256.txt"
    )


@pytest.mark.parametrize("path", ["data/pdf_report.pdf", *TAG_NAMES])
def test_one_flipped_bit_in_any_file_is_reported(
    folder: Path, store: LocalStore, path: str
) -> None:
    data = bytearray((folder / path).read_bytes())
    data[0] ^= 1
    (folder / path).write_bytes(data)
    report = report_on(store)
    assert not report.passed
    assert path in report.changed
    assert any(f"{PREFIX}{path} changed" in problem for problem in report.problems)


@pytest.mark.parametrize("path", ["data/pdf_report.pdf", *TAG_NAMES])
def test_a_file_that_is_gone_is_reported(folder: Path, store: LocalStore, path: str) -> None:
    (folder / path).unlink()
    report = report_on(store)
    assert report.missing == (path,)
    assert report.untracked == ()
    assert not report.changed


@pytest.mark.parametrize("path", ["data/extra.json", "notes.txt"])
def test_a_file_that_was_never_sealed_is_reported(
    folder: Path, store: LocalStore, path: str
) -> None:
    (folder / path).write_bytes(b"")
    report = report_on(store)
    assert report.untracked == (path,)
    assert not report.changed
    assert not report.missing


def test_a_bag_without_a_seal_does_not_pass(folder: Path, store: LocalStore) -> None:
    (folder / "tagmanifest-sha256.txt").unlink()
    assert report_on(store).problems == (f"{PREFIX}: it has no seal",)


def test_a_bag_of_which_nothing_is_left_does_not_pass(store: LocalStore) -> None:
    assert report_on(store).problems == (f"{PREFIX}: nothing of it is in the store",)


@pytest.mark.parametrize("damaged", ["tagmanifest-sha256.txt", "manifest-sha256.txt"])
def test_a_manifest_that_cannot_be_read_vouches_for_nothing(
    folder: Path, store: LocalStore, damaged: str
) -> None:
    (folder / damaged).write_bytes(b"\xff\xfe")
    assert "nothing vouches" in report_on(store).seal


def test_a_seal_that_lost_a_line_is_reported(folder: Path, store: LocalStore) -> None:
    path = folder / "tagmanifest-sha256.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    report = report_on(store)
    assert report.seal == "its seal does not name bag-info.txt"
    assert report.untracked == ("bag-info.txt",)
