import json

import pytest

from export_pipeline_tests.cli.conftest import Command


@pytest.mark.usefixtures("home")
def test_the_webhooks_are_told_ready_to_paste(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_COPYLEAKS_EMAIL", "a@example.com")
    monkeypatch.setenv("EXPORT_COPYLEAKS_KEY", "a-key")
    monkeypatch.setenv("EXPORT_RECEIVER_URL", "https://exports.example.com")
    (one,) = command("receiver", "--webhooks", "--json").json["webhooks"]
    url = "https://exports.example.com/hooks/copyleaks/default/scans/"
    told = command("receiver", "--webhooks").stdout
    (pasted,) = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert pasted == one["properties"]
    assert pasted == {
        "webhooks": {
            "status": url + "{STATUS}",
            "statusHeaders": [["X-Export-Token", one["token"]]],
        }
    }
    assert one["url_with_token"] == f"{url}{one['token']}/{{STATUS}}"
    assert one["forward_url"] == url + "completed"
    for line in (one["url_with_token"], one["forward_url"], f"X-Export-Token: {one['token']}"):
        assert line in told


@pytest.mark.usefixtures("home")
def test_without_an_account_there_are_no_webhooks_to_tell(command: Command) -> None:
    assert "no account has credentials here" in command("receiver", "--webhooks").stdout
    assert command("receiver", "--webhooks", "--json").json == {"webhooks": [], "signed": []}


@pytest.mark.usefixtures("home")
def test_where_a_vendor_posts_that_signs_its_webhooks_is_printed(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_CLOUDCONVERT_KEY", "a-key")
    monkeypatch.setenv("EXPORT_RECEIVER_URL", "https://exports.example.com")
    address = "https://exports.example.com/hooks/cloudconvert/default/signed"
    (one,) = command("receiver", "--webhooks", "--json").json["signed"]
    assert one == {"vendor": "cloudconvert", "account": "default", "url": address}
    assert address in command("receiver", "--webhooks").stdout
