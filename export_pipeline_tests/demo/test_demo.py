import json
import shlex
import signal
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit

import bagit
import dagster as dg
import pytest

from export_pipeline.demo.home import VARIABLES_FILE
from export_pipeline.sandbox import sample_scans
from export_pipeline.scans import ScanKey
from export_pipeline_tests.demo.command import (
    GIVE_UP_SECONDS,
    left_running,
    report,
    run,
    started_demo,
)

SCANS = 12
OTHERS = ("cloudconvert", "hookbridge", "laserfiche")
COPYLEAKS = SCANS - len(OTHERS)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A home on which a whole demo ran, and the object that it printed."""
    home = tmp_path_factory.mktemp("demo") / "a home"
    with started_demo(home, "--scans", str(SCANS), "--json") as process:
        out, err = process.communicate(timeout=GIVE_UP_SECONDS)
    assert process.returncode == 0, out + err
    assert left_running(home) == []
    return home, json.loads(out.splitlines()[-1]), err


def test_every_scan_is_archived_the_hard_ones_too(demo):
    home, told, _ = demo

    assert set(told) == {
        *("scans", "archived", "partial", "failed", "problems"),
        *("artifacts", "bytes", "archive", "seconds"),
    }
    assert (told["scans"], told["archived"], told["partial"]) == (SCANS, SCANS, 0)
    assert (told["failed"], told["problems"]) == (0, [])
    assert told["artifacts"] > 2_300
    listed = report(home, "scans", "list")["scans"]
    assert {scan["state"] for scan in listed} == {"archived"}
    of_vendors = Counter(scan["vendor"] for scan in listed)
    assert of_vendors == {"copyleaks": COPYLEAKS, **dict.fromkeys(OTHERS, 1)}
    copyleaks = {scan["scan"] for scan in listed if scan["vendor"] == "copyleaks"}
    assert copyleaks == {spec.id for spec in sample_scans(COPYLEAKS)}


def test_each_hard_scan_went_its_hard_way(demo):
    home, _, _ = demo

    def history(scan):
        shown = report(home, "scans", "show", scan)
        return shown, [event["event"] for event in shown["events"]]

    _, events = history("essay-never-completes")
    assert "no webhook: looking in the store" in events
    assert "told again" in history("essay-completes-twice")[1]
    lost, _ = history("essay-lost-answer")
    assert [order["outcome"] for order in lost["orders"]] == ["delivered"]
    [completed] = [one for one in lost["events"] if one["event"] == "completed"]
    assert completed["detail"]["unhealthy"] == ["ai_detection.json"]
    unhealthy, _ = history("essay-unhealthy-first")
    assert [order["attempt"] for order in unhealthy["orders"]] == [1, 2]
    many, _ = history("thesis-many-results")
    assert len(many["orders"]) == 3
    for scan in ("essay-without-pdf", "essay-nothing-told"):
        states = {one["kind"]: one["state"] for one in history(scan)[0]["artifacts"]}
        assert states["pdf_report"] == "absent"


def test_the_bags_are_valid_and_hold_what_was_counted(demo):
    _, told, _ = demo
    archive = Path(unquote(urlsplit(told["archive"]).path))

    bags = [bagit.Bag(str(seal.parent)) for seal in archive.rglob("tagmanifest-sha256.txt")]

    assert len(bags) == SCANS
    for bag in bags:
        bag.validate()
    payload = [file for bag in bags for file in bag.payload_entries()]
    assert len(payload) == told["artifacts"]


def test_dagster_shows_every_bag_and_no_failed_run(demo):
    home, _, _ = demo

    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        shown, *rest = (
            instance.get_materialized_partitions(dg.AssetKey([vendor, "bag"]))
            for vendor in ("copyleaks", *OTHERS)
        )
        states = {run.status for run in instance.get_runs()}

    specs = sample_scans(COPYLEAKS)
    assert [len(keys) for keys in rest] == [1] * len(OTHERS)
    assert shown == {ScanKey("copyleaks", "default", spec.id).partition_key for spec in specs}
    assert states == {dg.DagsterRunStatus.SUCCESS}


def test_other_commands_work_on_the_home(demo):
    home, told, _ = demo

    status = report(home, "status")

    assert status["scans"] == {"archived": SCANS}
    assert (status["sealed_files"], status["unreported"]) == (told["artifacts"], 0)
    assert report(home, "verify", "--all")["problems"] == []


def test_progress_is_told_beside_the_object(demo):
    _, _, err = demo

    assert f"{SCANS} archived" in err
    assert "Dagster starting" in err
    assert "quota 6,000 a minute" in err


def test_other_shells_find_its_dagster_too(demo):
    home, _, _ = demo

    variables = (home / VARIABLES_FILE).read_text().splitlines()

    assert f"export DAGSTER_HOME={shlex.quote(str(home / 'dagster'))}" in variables


def test_ctrl_c_in_the_middle_stops_everything(tmp_path):
    with started_demo(tmp_path / "home", "--scans", "9") as process:
        while line := process.stdout.readline():
            if " ordered" in line and "not registered" not in line:
                break
        assert line, process.stderr.read()

        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=GIVE_UP_SECONDS)

    assert process.returncode == 130
    assert "everything is stopped" in err
    assert left_running(tmp_path) == []


def test_a_demo_that_gives_up_says_what_is_stuck_and_leaves_nothing(tmp_path):
    options = ("--scans", "2", "--timeout", "1", "--json")
    with started_demo(tmp_path / "home", *options) as process:
        out, err = process.communicate(timeout=GIVE_UP_SECONDS)

    told = json.loads(out)
    assert process.returncode == 1
    assert told["failed"] == 2
    assert all("not registered" in problem["reason"] for problem in told["problems"])
    assert "2 scans not settled" in err
    assert left_running(tmp_path) == []


def test_a_folder_that_is_no_demo_s_is_left_alone(tmp_path):
    (tmp_path / "ledger.sqlite").write_bytes(b"theirs")

    done = run("demo", "--home", str(tmp_path))

    assert done.returncode == 1
    assert "not a demo's home" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.sqlite"]
