"""`check` and the address of alerts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline.ledger import alerts, quotas, troubles
from export_pipeline.ledger.alerts import Cause
from export_pipeline.ledger.database import Ledger, sqlite_url
from export_pipeline_tests.cli.conftest import Command, Outcome
from export_pipeline_tests.servers.alert_target import (
    SECRET_PATH,
    AlertTarget,
    running_alert_target,
)
from export_pipeline_tests.workflow.world import world

CAUSE = Cause("damage:copyleaks/default", "damage", "", "export-pipeline verify", 1, ["one"])


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[AlertTarget]:
    with running_alert_target() as running:
        monkeypatch.setenv("EXPORT_ALERT_URL", running.url)
        yield running


def finding(done: Outcome) -> tuple[bool | None, str]:
    (found,) = [one for one in done.json["findings"] if one["name"] == "alerts"]
    return found["works"], found["text"]


def test_without_an_address_it_says_who_tells_what_is_wrong(home: Path, command: Command) -> None:
    works, text = finding(command("check", "--json"))
    assert works is None
    assert "EXPORT_ALERT_URL is not set" in text


def test_only_with_alert_a_message_is_posted_and_it_says_that_it_is_a_test(
    home: Path, command: Command, target: AlertTarget
) -> None:
    assert finding(command("check", "--json"))[0] is None
    assert target.taken == []
    shown = command("check").stdout
    assert "untried  alerts: 127.0.0.1: `check --alert` posts a test message" in shown
    done = command("check", "--alert", "--json")
    assert finding(done) == (True, "127.0.0.1 takes a test message")
    (post,) = target.taken
    assert (post.json["cause"], post.json["state"]) == ("test", "began")
    assert "A test" in post.json["title"]


def test_an_address_that_does_not_take_it_is_wrong_and_its_secret_is_not_shown(
    home: Path, command: Command, target: AlertTarget
) -> None:
    target.status = 404
    done = command("check", "--alert", "--json")
    assert done.exit_code == 1
    assert finding(done) == (False, "127.0.0.1 answers 404")
    assert done.json["variables"]["EXPORT_ALERT_URL"] == "set"
    assert SECRET_PATH not in done.stdout + done.stderr + command("check").stdout


def test_an_address_that_did_not_take_the_last_message_is_wrong_without_a_new_one(
    home: Path, command: Command, target: AlertTarget
) -> None:
    ledger = Ledger(sqlite_url(home))
    with ledger.write() as tx:
        alerts.note(tx, [CAUSE], is_told=True)
        alert = alerts.take(tx, "one", 60.0)
        assert alert is not None
        alerts.failed(tx, alert, "127.0.0.1 answers 500", alert.pause)
    ledger.close()
    works, text = finding(command("check", "--json"))
    assert works is False
    assert text.startswith("127.0.0.1 answers 500; it is tried again")
    assert "127.0.0.1, which does not take it: 127.0.0.1 answers 500" in command("status").stdout
    assert target.taken == []


@pytest.mark.parametrize("url", ["hooks.slack.com/services/a-secret", "gopher://host/a-secret"])
def test_an_address_that_is_none_is_wrong_and_status_works_all_the_same(
    home: Path, command: Command, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("EXPORT_ALERT_URL", url)
    done = command("check", "--json")
    works, text = finding(done)
    assert works is False
    assert "EXPORT_ALERT_URL is not an http or https URL" in text
    told = command("status")
    assert told.exit_code == 0
    assert "a-secret" not in done.stdout + told.stdout


def test_a_key_is_not_shown(home: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORT_ALERT_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert "MfKQ9" not in command("check").stdout


def test_a_login_that_works_again_is_wrong_no_longer(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(tmp_path / "home") as one:
        for name, value in one.environment.items():
            monkeypatch.setenv(name, value)
        one.write(quotas.cool_down, "copyleaks", "default", 0.1, "refused", needs_person=True)
        one.until(lambda: one.look(quotas.cooldown, "copyleaks", "default").until == 0)
        assert one.look(troubles.refused_logins)
        command("check", "--json")
        assert one.look(troubles.refused_logins) == []
