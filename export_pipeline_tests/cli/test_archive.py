"""The commands on a home where the sandbox's scans were archived."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from export_pipeline.cli import app
from export_pipeline.sandbox import ScanSpec
from export_pipeline_tests.cli.conftest import Command, Outcome
from export_pipeline_tests.workflow.world import World, world

GOOD, LOST, HOSTILE, EMPTY = "essay-good", "essay-lost", 'a/../b%2f;:"<x>', "essay-empty"
NEVER = ("never_delivers:pdfReport",)
SPECS = (
    ScanSpec(GOOD, results=2),
    ScanSpec(LOST, results=1, traits=NEVER),
    ScanSpec(HOSTILE, results=1),
    ScanSpec(EMPTY, results=0, artifacts=(), traits=("never_delivers",)),
)


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for the tests that only read."""
    with world(tmp_path_factory.mktemp("world") / "home") as one:
        one.archive(SPECS, attempts=1)
        yield one


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch, command: Command) -> Callable[[World], Command]:
    """The command line pointed at a world."""

    def point(one: World) -> Command:
        for name, value in one.environment.items():
            monkeypatch.setenv(name, value)
        return lambda *arguments, **more: command(*arguments, home=one.home, **more)

    return point


@pytest.fixture
def reading(archived: World, point_at: Callable[[World], Command]) -> Command:
    return point_at(archived)


def test_show_tells_the_whole_history(reading: Command) -> None:
    shown = reading("scans", "show", LOST, "--json").json
    assert shown["scan"]["state"] == "partial"
    assert [one["state"] for one in shown["generations"]] == ["sealed"]
    assert [(one["attempt"], one["outcome"]) for one in shown["orders"]] == [(1, "incomplete")]
    states = {one["name"]: one["state"] for one in shown["artifacts"]}
    assert states["pdf_report.pdf"] == "missing"
    assert states["overview.json"] == "verified"
    events = [one["event"] for one in shown["events"]]
    assert events[0] == "registered"
    assert events[-1] == "sealed"
    text = reading("scans", "show", LOST).stdout
    for word in ("partial", "Generations", "Orders", "Artifacts", "Events", "sealed"):
        assert word in text


def test_status_counts_what_there_is(reading: Command, archived: World) -> None:
    told = reading("status", "--json").json
    assert told["scans"] == {"archived": 2, "failed": 1, "partial": 1}
    assert told["oldest_open_order"] is None
    (account,) = told["accounts"]
    assert account["configured"]
    assert account["quotas"][0]["granted"] >= told["orders"]["closed"] == 4
    assert told["sealed_files"] > 10
    assert told["store"] == archived.store.url
    text = reading("status").stdout
    assert "2 archived, 1 failed, 1 partial" in text


def test_verify_rereads_every_sealed_bag(reading: Command) -> None:
    told = reading("verify", "--all", "--json")
    assert told.exit_code == 0, told
    assert (told.json["bags"], told.json["problems"]) == (3, [])
    one = reading("verify", HOSTILE, "--json").json
    assert one["bags"] == 1
    unsealed = reading("verify", EMPTY)
    assert unsealed.exit_code == 1
    assert "nothing of it is sealed, it is failed" in unsealed.stderr


def test_plan_tells_what_retry_would_order_and_writes_nothing(
    reading: Command, archived: World
) -> None:
    archived.ledger.close()
    ledger = archived.home / "ledger.sqlite"
    before = ledger.read_bytes()
    (told,) = reading("plan", "--json").json["accounts"]
    assert (told["scans"], told["calls"]) == (1, 1)
    assert told["artifacts"]["crawled_version"]["expected"] == 1
    assert told["artifacts"]["results"]["absent"] == 0, "settled before"
    assert "1 scan, 1 export call" in reading("plan").stdout
    archived.ledger.close()
    assert ledger.read_bytes() == before


def test_what_was_tampered_with_is_named(tmp_path: Path, point_at: Callable) -> None:
    with world(tmp_path / "home") as one:
        one.archive([ScanSpec(GOOD, results=1), ScanSpec("essay-2", results=1)])
        command = point_at(one)
        (report,) = (one.home / "archive").glob("copyleaks/default/essay-2/1/data/overview.json")
        report.chmod(0o644)
        report.write_bytes(b"{}")
        done = command("verify", "--all")
        assert done.exit_code == 1
        assert "essay-2/1/data/overview.json changed since it was sealed" in done.stderr
        assert "2 bags reread" in done.stdout
        assert command("verify", GOOD).exit_code == 0


def test_retry_queues_only_what_failed(tmp_path: Path, point_at: Callable) -> None:
    with world(tmp_path / "home") as one:
        one.archive(SPECS, attempts=1)
        command = point_at(one)
        told = command("retry", "--wait", "0", "--json").json
        (queued,) = told["scans"]
        assert (told["queued"], queued["scan"], queued["state"]) == (1, EMPTY, "ordered")
        assert command("retry", "--json").json == {"queued": 0, "scans": []}
        assert "sealed before" in command("retry", GOOD).stdout
        unknown = command("retry", GOOD, "nobody")
        assert unknown.exit_code == 1


def test_retry_archives_two_failed_scans_and_moves_nothing_that_arrived(
    tmp_path: Path, point_at: Callable
) -> None:
    with world(tmp_path / "home") as one:
        names = ("essay-1", "essay-2")
        failing = [ScanSpec(name, results=1, traits=("never_delivers",)) for name in names]
        one.archive([ScanSpec(GOOD, results=1), *failing], attempts=1)
        one.create([ScanSpec(name, results=1) for name in names])
        before = one.sandbox.stats()
        told = point_at(one)("retry", "--json").json
        assert [scan["state"] for scan in told["scans"]] == ["archived", "archived"]
        ordered = one.sandbox.stats()["orders"][len(before["orders"]) :]
        assert {order["scan"] for order in ordered} == {"essay-1", "essay-2"}
        assert len(ordered) == 2


def test_a_new_generation_orders_only_what_a_partial_scan_lacks(
    tmp_path: Path, point_at: Callable
) -> None:
    with world(tmp_path / "home") as one:
        one.archive(SPECS[:2], attempts=1)
        command = point_at(one)
        told = command("retry", "--new-generation", "--wait", "0", "--json").json
        assert [scan["scan"] for scan in told["scans"]] == [LOST]
        shown = command("scans", "show", LOST, "--json").json
        ordered = [
            artifact["name"]
            for artifact in shown["artifacts"]
            if (artifact["generation"], artifact["state"]) == (2, "expected")
        ]
        assert ordered == ["pdf_report.pdf"]
        again = command("retry", "--new-generation", GOOD, "--wait", "0", "--json")
        assert again.json["queued"] == 1
        states = command("scans", "show", GOOD, "--json").json["generations"]
        assert [generation["state"] for generation in states] == ["sealed", "open"]


def test_a_failed_scan_without_result_ids_is_retried_without_them(
    tmp_path: Path, point_at: Callable
) -> None:
    with world(tmp_path / "home") as one:
        command = point_at(one)
        one.create([ScanSpec(GOOD, results=1, artifacts=(), traits=("never_delivers",))])
        command("scans", "import", "-", stdin=GOOD.encode())
        assert command("retry", GOOD, "--wait", "0", "--json").json["queued"] == 1
        one.settle(one.pipeline(attempts=1), [GOOD])
        assert one.scan(GOOD).state == "failed"
        command("retry", "--wait", "0")
        shown = command("scans", "show", GOOD, "--json").json
        last = shown["orders"][-1]
        asked = [
            artifact["name"]
            for artifact in shown["artifacts"]
            if artifact["order_id"] == last["id"]
        ]
        assert "results" not in asked
        one.settle(one.pipeline(attempts=1), [GOOD])
        assert "import" in one.scan(GOOD).reason


def test_check_finds_that_everything_works(reading: Command, archived: World) -> None:
    told = reading("check", "--json")
    assert told.exit_code == 0, told
    found = {one["name"]: one["works"] for one in told.json["findings"]}
    assert found == {
        "ledger": True,
        "copyleaks account default": True,
        "laserfiche": None,
        "hookbridge": None,
        "store: write": True,
        "store: read back": True,
        "store: create-only": True,
        "store: sign": None,
        "store: delete": True,
        "signing key": None,
        "receiver": True,
        "alerts": None,
        "cloudconvert": None,
    }
    assert told.json["variables"]["EXPORT_COPYLEAKS_KEY"] == "set"
    text = reading("check").stdout
    for secret in ("EXPORT_COPYLEAKS_KEY", "EXPORT_RECEIVER_SECRET"):
        assert archived.environment[secret] not in told.stdout + text
    assert not list((archived.home / "archive" / ".check").iterdir())


def failing(done: Outcome) -> dict[str, str]:
    assert done.exit_code == 1
    return {one["name"]: one["text"] for one in done.json["findings"] if one["works"] is False}


def test_check_says_what_is_wrong(
    tmp_path: Path,
    reading: Command,
    archived: World,
    monkeypatch: pytest.MonkeyPatch,
    command: Command,
) -> None:
    good = archived.environment
    with monkeypatch.context() as wrong:
        wrong.setenv("EXPORT_COPYLEAKS_KEY", "not-the-key")
        told = failing(reading("check", "--json"))
        assert list(told) == ["copyleaks account default"]
        assert "correct the account's credentials" in told["copyleaks account default"]
        assert "not-the-key" not in told["copyleaks account default"]
    with monkeypatch.context() as wrong:
        wrong.setenv("EXPORT_RECEIVER_SECRET", "another secret")
        assert "does not know our token" in failing(reading("check", "--json"))["receiver"]
    with monkeypatch.context() as wrong:
        wrong.setenv("EXPORT_RECEIVER_URL", "http://user:pass@127.0.0.1:9")
        told = failing(reading("check", "--json"))["receiver"]
        assert told.startswith("http://127.0.0.1:9: no connection")
    with monkeypatch.context() as wrong:
        wrong.setenv("EXPORT_RECEIVER_URL", good["EXPORT_COPYLEAKS_API_URL"])
        assert "no receiver of ours (404)" in failing(reading("check", "--json"))["receiver"]
    other = tmp_path / "other"
    assert CliRunner().invoke(app, ["check", "--init", "--home", str(other)]).exit_code == 1
    told = failing(command("check", "--json", home=other))["receiver"]
    assert f"writes to another ledger than sqlite:///{other}" in told
    (other / "archive").rename(other / "gone")
    (other / "archive").write_text("a file where the archive should be")
    assert "store: write" in failing(command("check", "--json", home=other))


def test_a_stored_webhook_registers_an_old_scan_without_ordering_it(
    tmp_path: Path, home: Path, command: Command
) -> None:
    bodies = [
        {"scannedDocument": {"scanId": name}, "results": {"internet": [{"id": f"r-{name}"}]}}
        for name in ("essay-1", HOSTILE)
    ]
    lines = [json.dumps(bodies[0]), "", '{"scannedDocument": {}}', json.dumps(bodies[1]), "{"]
    done = command("inbox", "import", "-", "--json", stdin="\n".join(lines).encode())
    assert done.exit_code == 1
    assert (done.json["new"], done.json["bad"]) == (2, 2)
    assert [one["where"] for one in done.json["problems"]] == ["line 3", "line 5"]
    shown = command("scans", "show", HOSTILE, "--json").json
    assert shown["scan"]["details"]["result_ids"] == [f"r-{HOSTILE}"]
    assert (shown["scan"]["state"], shown["orders"]) == ("registered", [])
    assert command("status", "--json").json["rejected_letters"] == 0


def test_stored_webhooks_may_be_a_folder_or_one_pretty_file(
    tmp_path: Path, home: Path, command: Command
) -> None:
    folder = tmp_path / "bodies"
    folder.mkdir()
    for name in ("essay-1", "essay-2"):
        body = {"scannedDocument": {"scanId": name}}
        (folder / f"{name}.json").write_text(json.dumps(body, indent=2))
    (folder / "broken.json").write_bytes(b"\xff")
    done = command("inbox", "import", str(folder), "--json")
    assert (done.json["new"], done.json["problems"][0]["where"]) == (2, "broken.json")
    one = command("inbox", "import", str(folder / "essay-1.json"), "--json")
    assert (one.exit_code, one.json["known"]) == (0, 1)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "has no .json files" in command("inbox", "import", str(empty)).stderr
    assert command("inbox", "import", str(tmp_path / "nowhere")).exit_code == 2
    assert not any(empty.iterdir())
