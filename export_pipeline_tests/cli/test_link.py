"""Links to what is sealed: they download exactly that, or it is told where it lies."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from export_pipeline.sandbox import ScanSpec
from export_pipeline.storage.open import open_store
from export_pipeline_tests.cli.conftest import Command, Outcome
from export_pipeline_tests.servers.seaweedfs import SeaweedFS
from export_pipeline_tests.workflow.world import World, world

GOOD, LOST, HOSTILE, EMPTY = "essay-good", "essay-lost", 'a/../b%2f;:"<x>', "essay-empty"
SPECS = (
    ScanSpec(GOOD, results=1, artifacts=("crawledVersion", "overview")),
    ScanSpec(LOST, results=1, traits=("never_delivers:pdfReport",)),
    ScanSpec(EMPTY, results=0, artifacts=(), traits=("never_delivers",)),
)


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("disk") / "home") as one:
        one.archive(SPECS, attempts=1)
        yield one


@pytest.fixture(scope="module")
def on_s3(tmp_path_factory: pytest.TempPathFactory, seaweedfs: SeaweedFS) -> Iterator[World]:
    url, variables = f"s3://{seaweedfs.new_bucket()}/my archive", seaweedfs.variables()
    with world(tmp_path_factory.mktemp("s3") / "home") as one:
        replace(one, store=open_store(url, variables)).archive([ScanSpec(HOSTILE, results=2)])
        one.environment |= {**variables, "EXPORT_STORAGE_URL": url}
        yield one


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch, command: Command) -> Callable[..., Outcome]:
    """Runs `link` on a world."""

    def run(one: World, *arguments: str) -> Outcome:
        for name, value in one.environment.items():
            monkeypatch.setenv(name, value)
        return command("link", *arguments, home=one.home)

    return run


def test_each_url_downloads_one_file_of_the_size_and_sha256_beside_it(
    on_s3: World, link: Callable[..., Outcome]
) -> None:
    told = link(on_s3, HOSTILE, "--json").json
    assert (told["scan"], told["generation"], told["verdict"]) == (HOSTILE, 1, "archived")
    assert {one["name"] for one in told["artifacts"]} == set(on_s3.artifacts(HOSTILE))
    for one in told["artifacts"]:
        body = httpx.get(one["url"]).content
        assert (len(body), hashlib.sha256(body).hexdigest()) == (one["size"], one["sha256"])


def test_a_name_means_one_file_and_a_kind_all_of_it(
    on_s3: World, link: Callable[..., Outcome]
) -> None:
    (pdf,) = link(on_s3, HOSTILE, "pdf_report.pdf", "--json").json["artifacts"]
    assert httpx.get(pdf["url"]).content.startswith(b"%PDF")
    results = link(on_s3, HOSTILE, "results", "--json").json["artifacts"]
    assert [one["kind"] for one in results] == ["results"] * 2


def test_a_url_goes_to_stdout_and_nowhere_else(
    on_s3: World, link: Callable[..., Outcome], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        done = link(on_s3, HOSTILE, "overview")
    facts, url = done.stdout.splitlines()
    assert facts.startswith("overview.json  ")
    assert httpx.get(url).status_code == 200
    assert "1 URL, each for 15 min" in done.stderr
    assert "X-Amz-Signature" not in done.stderr + caplog.text


def test_a_url_reads_and_ends(on_s3: World, link: Callable[..., Outcome]) -> None:
    (one,) = link(on_s3, HOSTILE, "overview", "--for", "1s", "--json").json["artifacts"]
    assert httpx.put(one["url"], content=b"x").status_code == 403
    assert httpx.delete(one["url"]).status_code == 403
    time.sleep(2.2)
    assert httpx.get(one["url"]).status_code == 403


def test_no_url_lives_longer_than_the_store_can(on_s3: World, link: Callable[..., Outcome]) -> None:
    assert link(on_s3, HOSTILE, "overview", "--for", "7d").exit_code == 0
    done = link(on_s3, HOSTILE, "overview", "--for", "8d")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "S3's limit is 604800; ask for less time" in done.stderr


@pytest.mark.parametrize("lifetime", ["", "0s", "15", "-1m", "1w", "1.5h", "9999999d"])
def test_what_is_no_duration_is_a_wrong_call(
    on_disk: World, link: Callable[..., Outcome], lifetime: str
) -> None:
    assert link(on_disk, GOOD, "--for", lifetime).exit_code == 2


def test_on_a_disk_the_files_own_path_is_told(on_disk: World, link: Callable[..., Outcome]) -> None:
    done = link(on_disk, GOOD, "overview")
    facts, path = done.stdout.splitlines()
    assert done.exit_code == 1
    assert "signs no URLs: they are files of this machine" in done.stderr
    assert facts.endswith(f"sha256 {hashlib.sha256(Path(path).read_bytes()).hexdigest()}")
    (one,) = link(on_disk, GOOD, "overview", "--json").json["artifacts"]
    assert (one["url"], one["place"]) == (None, Path(path).as_uri())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sftp://files.example.com/archive", "fetch them with sftp, as the user of EXPORT_STORAGE"),
        ("https://files.example.com/archive", "with the credentials of the EXPORT_HTTP_ variables"),
        ("s3://bucket/archive", "set credentials that sign"),
    ],
)
def test_on_a_store_that_cannot_sign_the_place_is_told_and_how_to_get_there(
    on_disk: World,
    link: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    words: str,
) -> None:
    monkeypatch.setenv("EXPORT_STORAGE_URL", url.replace("sftp://", "sftp://user@"))
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"EXPORT_S3_{name}", "a-token-whose-end-nobody-knows")
    done = link(on_disk, GOOD, "overview")
    assert done.exit_code == 1
    place = done.stdout.splitlines()[1]
    assert place == f"{url}/copyleaks/default/{GOOD}/1/data/overview.json"
    assert words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody",), "the ledger has no scan 'nobody'"),
        ((EMPTY,), "nothing of it is sealed, it is failed"),
        ((LOST, "pdf_report"), "no such file is in its bag: pdf_report.pdf is missing: "),
        ((GOOD, "pdf_report.pdf"), "no such file is in its bag: pdf_report.pdf is absent: "),
        ((GOOD, "poem"), "it has no artifact 'poem': name a file, or one of the kinds ai_detect"),
    ],
)
def test_what_cannot_be_had_is_told_in_words(
    on_disk: World, link: Callable[..., Outcome], arguments: tuple[str, ...], words: str
) -> None:
    done = link(on_disk, *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert words in done.stderr


def test_while_a_new_generation_is_open_the_sealed_one_is_linked(
    on_disk: World, link: Callable[..., Outcome], command: Command
) -> None:
    before = link(on_disk, LOST, "--json").json
    assert before["verdict"] == "partial"
    command("retry", "--new-generation", LOST, "--wait", "0", home=on_disk.home)
    assert on_disk.scan(LOST).generation == 2
    assert link(on_disk, LOST, "--json").json == before
