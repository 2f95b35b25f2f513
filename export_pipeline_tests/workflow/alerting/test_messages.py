import json
from dataclasses import replace

import pytest

from export_pipeline.ledger.alerts import Alert
from export_pipeline.workflow.alerting.messages import as_json, as_slack, body

HOSTILE = 'a/../b%2f;:"<x>'
ALERT = Alert(
    cause="failed:copyleaks/default/1f",
    title="500 scans of copyleaks account default failed",
    reason="copyleaks: the export: refused",
    command="export-pipeline retry --vendor copyleaks --account default",
    count=500,
    names=[HOSTILE, "<!channel> `*_~ & \n", "\udcff é"],
    began_at=1_800_000_000.0,
    seen_at=1_800_003_600.0,
    over=False,
    sent_at=None,
    failures=0,
    problem="",
)


def test_the_json_form_says_what_how_many_which_and_what_to_run() -> None:
    told = json.loads(body(as_json(ALERT)))
    assert told == {
        "type": "export_pipeline.alert",
        "state": "began",
        "cause": "failed:copyleaks/default/1f",
        "title": "500 scans of copyleaks account default failed",
        "reason": "copyleaks: the export: refused",
        "count": 500,
        "names": [HOSTILE, "<!channel> `*_~ & \n", "\udcff é"],
        "command": "export-pipeline retry --vendor copyleaks --account default",
        "began_at": "2027-01-15T08:00:00+00:00",
        "seen_at": "2027-01-15T09:00:00+00:00",
    }


def test_in_slack_an_id_is_text_and_never_markup_a_mention_or_a_link() -> None:
    assert as_slack(ALERT)["text"].splitlines() == [
        "*500 scans of copyleaks account default failed*",
        "since 2027-01-15 08:00 UTC",
        "why: `copyleaks: the export: refused`",
        (
            'which: `a/../b%2f;:"&lt;x&gt;`, `&lt;!channel&gt; \N{PRIME}*_~ &amp;  `, `  é`'
            " and 497 more"
        ),
        "run: `export-pipeline retry --vendor copyleaks --account default`",
    ]
    assert as_slack(ALERT)["unfurl_links"] is False


@pytest.mark.parametrize(
    ("changes", "state", "begins"),
    [
        ({}, "began", "*500 scans"),
        ({"sent_at": 1.0}, "lasts", "Still: *500 scans"),
        ({"sent_at": 1.0, "over": True}, "over", "Over: *500 scans"),
    ],
)
def test_a_message_says_whether_it_begins_lasts_or_is_over(
    changes: dict[str, object], state: str, begins: str
) -> None:
    alert = replace(ALERT, **changes)  # type: ignore[arg-type]
    assert as_json(alert)["state"] == state
    text = as_slack(alert)["text"]
    assert text.startswith(begins)
    assert ("run: " in text) is (state != "over")
