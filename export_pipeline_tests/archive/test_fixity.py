import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from export_pipeline.archive.audit import AuditReport, audit
from export_pipeline.archive.bag import TAG_NAMES
from export_pipeline.archive.fixity import BAGS_AT_ONCE, fixity
from export_pipeline.archive.layout import bag_prefix
from export_pipeline.errors import StoreUnavailable
from export_pipeline.scans import ScanKey
from export_pipeline.storage.local import LocalStore
from export_pipeline_tests.archive.bags import PAYLOAD, PREFIX, deliver, make_bag


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
    assert report_on(store).problems[0] == f"{PREFIX}: it has no seal"
    assert not asyncio.run(audit(store, "copyleaks/default/none/1/")).passed


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


def prefix(number: int) -> str:
    return bag_prefix(ScanKey("copyleaks", "default", f"scan-{number:03}"), 1)


def test_all_sealed_bags_are_audited_and_what_is_wrong_is_told(
    tmp_path: Path, store: LocalStore
) -> None:
    async def scenario() -> None:
        for number in range(20):
            await make_bag(store, prefix(number))
        await deliver(store, prefix(20), PAYLOAD)
        (tmp_path / prefix(7) / "data/pdf_report.pdf").write_bytes(b"rotten")
        report = await fixity(store)
        assert report.complete
        assert report.audited == [prefix(number) for number in range(20)]
        assert report.files == 20 * (len(PAYLOAD) + len(TAG_NAMES))
        assert report.failed == [prefix(7)]
        assert report.problems == [f"{prefix(7)}data/pdf_report.pdf changed since it was sealed"]

    asyncio.run(scenario())


def test_named_bags_are_audited_alone_and_one_without_a_seal_is_a_problem(
    store: LocalStore,
) -> None:
    async def scenario() -> None:
        await make_bag(store, prefix(1))
        await make_bag(store, prefix(2))
        report = await fixity(store, [prefix(2), prefix(3)])
        assert report.audited == [prefix(2), prefix(3)]
        assert report.problems == [f"{prefix(3)}: it has no seal"]

    asyncio.run(scenario())


def test_an_audit_over_its_budget_stops_and_says_where_to_go_on(store: LocalStore) -> None:
    async def scenario() -> None:
        everything = [prefix(number) for number in range(30)]
        for one in everything:
            await make_bag(store, one)
        report = await fixity(store, everything, budget_bytes=1)
        assert not report.complete
        assert 1 <= len(report.audited) <= BAGS_AT_ONCE
        assert report.audited == everything[: len(report.audited)]
        rest = await fixity(store, everything[len(report.audited) :])
        assert rest.complete
        assert report.audited + rest.audited == everything

    asyncio.run(scenario())


def test_a_bag_that_the_store_fails_to_show_is_a_problem_and_the_others_are_audited(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = store.open

    def failing(key: str, *, offset: int = 0) -> AsyncIterator[bytes]:
        if key.startswith(prefix(1)):
            raise StoreUnavailable(f"{key}: time-out")
        return read(key, offset=offset)

    async def scenario() -> None:
        for number in range(3):
            await make_bag(store, prefix(number))
        monkeypatch.setattr(store, "open", failing)
        report = await fixity(store)
        assert report.failed == [prefix(1)]
        assert "could not be audited" in report.problems[0]
        assert "time-out" in report.problems[0]
        assert len(report.audited) == 3

    asyncio.run(scenario())
