"""`forget`, `hold` and `retention` on a home where scans are archived."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from export_pipeline.ledger import registry
from export_pipeline.ledger.schema import generations
from export_pipeline.sandbox import ScanSpec
from export_pipeline.scans import ScanKey
from export_pipeline_tests.cli.conftest import Command, Outcome
from export_pipeline_tests.workflow.forgetting.traces import naming, spellings
from export_pipeline_tests.workflow.world import World, world

HOSTILE = 'a/../b%2f;:"<x>=2e'
REASON = ("--reason", "case 42")
WITHOUT = "--without-dagster"
NOW = (*REASON, "--yes", WITHOUT)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world") / "home") as one:
        yield one


@pytest.fixture
def run(place: World, monkeypatch: pytest.MonkeyPatch, command: Command) -> Callable[..., Outcome]:
    """The command line pointed at the world, without a Dagster."""
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return lambda *arguments: command(*arguments, home=place.home)


def archive(place: World, *names: str) -> None:
    place.archive([ScanSpec(name, results=1, artifacts=("crawledVersion",)) for name in names])


def files(place: World, needles: Sequence[bytes]) -> list[str]:
    place.ledger.wipe()
    return naming(place.home, *needles)


def test_a_dry_run_tells_what_would_go_and_deletes_nothing(
    place: World, run: Callable[..., Outcome]
) -> None:
    archive(place, "dry-run")
    before = place.stored("dry-run")
    shown = run("forget", "dry-run", *REASON, "--dry-run", "--json")
    assert shown.exit_code == 0
    (told,) = shown.json["scans"]
    assert (told["scan"], told["state"], told["obstacles"]) == ("dry-run", "archived", [])
    assert told["objects"] > len(before)
    assert told["bytes"] > 0
    assert "dry-run" in run("forget", "dry-run", *REASON, "--dry-run").stdout
    assert place.stored("dry-run") == before


def test_without_a_terminal_nothing_is_deleted_unless_told_so(
    place: World, run: Callable[..., Outcome]
) -> None:
    archive(place, "no-terminal")
    refused = run("forget", "no-terminal", *REASON, WITHOUT)
    assert refused.exit_code == 1
    assert "without a terminal to ask on, say --yes" in refused.stderr
    refused = run("forget", "no-terminal", *REASON, WITHOUT, "--json")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "with --json nobody is asked, so say --yes" in refused.stderr
    for rest in (("--dry-run",), ("--yes", WITHOUT)):
        assert run("forget", "no-terminal", "--reason", " ", *rest).exit_code == 2
    assert place.scan("no-terminal").state == "archived"


def test_several_scans_are_forgotten_and_what_stays_is_listed(
    place: World, run: Callable[..., Outcome]
) -> None:
    archive(place, HOSTILE, "forgotten-too", "not-forgotten")
    done = run("forget", HOSTILE, "forgotten-too", *NOW)
    assert done.exit_code == 0
    assert "2 scans forgotten" in done.stdout
    assert "everything in Dagster, if there is one" in done.stdout
    assert "backups" in done.stdout
    assert files(place, sorted(spellings(HOSTILE) | spellings("forgotten-too"))) == []
    assert place.scan("not-forgotten").state == "archived"


def test_json_tells_what_was_deleted(place: World, run: Callable[..., Outcome]) -> None:
    archive(place, "as-json")
    done = run("forget", "as-json", *NOW, "--json").json
    key = {"vendor": "copyleaks", "account": "default", "scan": "as-json"}
    assert done["forgotten"] == [key]
    assert done["objects"] > 0
    assert done["stays"]
    again = run("forget", "as-json", *NOW, "--json").json
    assert (again["forgotten"], again["objects"]) == ([key], 0)


def test_a_scan_that_nobody_knows_is_no_scan(run: Callable[..., Outcome]) -> None:
    unknown = run("forget", "never-was", *NOW)
    assert unknown.exit_code == 1
    assert "the ledger has no scan 'never-was'" in unknown.stderr
    nowhere = run("forget", "never-was", "--vendor", "copyleaks", *NOW)
    assert "nobody knows a scan copyleaks/default/never-was" in nowhere.stderr
    wrong = run("forget", "never-was", "--vendor", "acme", *NOW)
    assert (wrong.exit_code, "'acme' is none" in wrong.stderr) == (2, True)


def test_at_the_vendor_it_is_deleted_too(place: World, run: Callable[..., Outcome]) -> None:
    archive(place, "vendor-too")
    done = run("forget", "vendor-too", *NOW, "--at-vendor")
    assert done.exit_code == 0
    assert "--at-vendor" not in done.stdout
    again = run("scans", "import", str(_lines(place, "vendor-too")), "--json").json
    assert (again["new"], again["forgotten"]) == (0, 1)


def test_a_hold_keeps_a_scan_until_it_is_released(
    place: World, run: Callable[..., Outcome]
) -> None:
    archive(place, HOSTILE.replace("a", "held"))
    name = HOSTILE.replace("a", "held")
    unnamed, unreasoned = run("hold", "--release"), run("hold", name)
    assert (unnamed.exit_code, unreasoned.exit_code) == (2, 2)
    assert "name the scans" in unnamed.stderr
    assert "--reason" in unreasoned.stderr
    assert run("hold", name, "--reason", "case 7").exit_code == 0
    (held,) = run("hold", "--json").json["holds"]
    assert (held["scan"], held["reason"]) == (name, "case 7")
    assert "case 7" in run("hold").stdout
    assert len(naming(place.home / "archive", b"case 7")) == 1
    refused = run("forget", name, *NOW)
    assert refused.exit_code == 1
    assert refused.stderr.count("is on hold since") == 1
    assert "is on hold since" in run("forget", name, *REASON, "--dry-run").stderr
    assert name in run("hold", name, "--release").stdout
    assert "they were not held" in run("hold", name, "--release").stdout
    assert run("hold", "--json").json["holds"] == []
    assert run("forget", name, *NOW).exit_code == 0


def test_retention_spares_what_is_held_fresh_or_at_work(
    place: World, run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("retained-1", "retained-2", "retained-held", "retained-fresh")
    archive(place, *names)
    for name in names[:3]:
        old = generations.update().where(generations.c.scan_id == place.scan(name).id)
        place.write(lambda tx, old=old: tx.run(old.values(sealed_at=tx.now - 11 * 86_400)))
    run("hold", "retained-held", "--reason", "case 8")
    assert "all are kept" in run("retention", WITHOUT).stderr
    assert "retention of" not in run("check").stdout
    monkeypatch.setenv("EXPORT_RETENTION_DAYS", "5")
    monkeypatch.setenv("EXPORT_COPYLEAKS_RETENTION_DAYS", "10")
    due = run("retention", "--dry-run", "--json").json["scans"]
    assert [one["scan"] for one in due] == ["retained-1", "retained-2"]
    assert all(one["bytes"] > 0 for one in due)
    assert "2 scans" in run("retention", "--dry-run").stdout
    told = run("check").stdout
    assert "mind     retention of copyleaks: scans are kept for 10 days, but it never ran" in told
    assert "turn the schedule hookbridge_retention_daily on in Dagster" in told
    assert run("retention", WITHOUT, "--vendor", "laserfiche").exit_code == 0
    for way, said in (((), "without a terminal to ask on"), (("--json",), "with --json nobody")):
        unasked = run("retention", WITHOUT, *way)
        assert (unasked.exit_code, unasked.stdout) == (1, "")
        assert f"nothing was deleted: {said}" in unasked.stderr
    told = run("retention", WITHOUT, "--yes", "--json").json["vendors"]["copyleaks"]
    assert (told["forgotten"], told["kept"], told["left"]) == (2, [], False)
    assert [words for words in told["stays"] if "everything in Dagster" in words]
    assert "works    retention of copyleaks: scans are kept for 10 days; it last ran" in (
        run("check").stdout
    )
    assert files(place, [b"retained-1", b"retained-2"]) == []
    for name in names[2:]:
        assert place.scan(name).state == "archived"
    monkeypatch.setenv("EXPORT_COPYLEAKS_RETENTION_DAYS", "0")
    run("hold", "retained-held", "--release")
    assert run("retention", "--dry-run", "--json").json["scans"] == []


def test_in_dagster_it_goes_where_dagster_home_is_set(
    place: World, run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    archive(place, "in-dagster")
    done = run("forget", "in-dagster", *REASON, "--yes", "--json").json
    assert not [words for words in done["stays"] if "DAGSTER_HOME" in words]
    assert [words for words in done["stays"] if "in Dagster: log lines" in words]
    assert place.look(registry.find, ScanKey("copyleaks", "default", "in-dagster")) is None


def test_without_dagster_home_nothing_is_deleted_unless_told_so(
    place: World, run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(place, "no-dagster")
    monkeypatch.setenv("EXPORT_RETENTION_DAYS", "1")
    for refused in (run("forget", "no-dagster", *REASON, "--yes"), run("retention")):
        assert refused.exit_code == 1
        assert "nothing was deleted: DAGSTER_HOME is not set" in refused.stderr
        assert "--without-dagster" in refused.stderr
    assert place.scan("no-dagster").state == "archived"


@pytest.mark.parametrize("name", ["once-more", HOSTILE.replace("a", "once")])
def test_the_same_command_finds_a_forgotten_scan_by_its_tombstone(
    place: World, run: Callable[..., Outcome], name: str
) -> None:
    archive(place, name)
    key = {"vendor": "copyleaks", "account": "default", "scan": name}
    partition = place.scan(name).key.partition_key
    for said in (name, name, partition):
        assert run("forget", said, *NOW, "--json").json["forgotten"] == [key]
    assert "it is forgotten already" in run("hold", name, "--reason", "case 7").stderr


def test_of_several_forgotten_scans_of_one_id_one_must_be_named(
    place: World, run: Callable[..., Outcome]
) -> None:
    other = ScanKey("copyleaks", "team-b", "keeps-the-account-known")
    place.write(registry.register, other, source="import")
    for account in ("default", "team-b"):
        key = ScanKey("copyleaks", account, "in-both")
        place.write(registry.register, key, source="import")
        assert run("forget", "in-both", "--account", account, *NOW).exit_code == 0
    unclear = run("forget", "in-both", *NOW)
    assert unclear.exit_code == 1
    assert "copyleaks/default/in-both, copyleaks/team-b/in-both" in unclear.stderr
    again = run("forget", "in-both", "--account", "team-b", *NOW, "--json").json
    assert [one["account"] for one in again["forgotten"]] == ["team-b"]


def _lines(place: World, name: str) -> Path:
    path = place.home.parent / "lines.txt"
    path.write_text(f"{name}\n")
    return path
