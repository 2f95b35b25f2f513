import json
from pathlib import Path

import pytest

from export_pipeline_tests.cli.conftest import Command

HOSTILE = 'a/../b%2f;:"<x>'


def listed(command: Command, *arguments: str) -> list[dict]:
    return command("scans", "list", "--json", *arguments).json["scans"]


def test_plain_lines_are_ids_as_they_are(home: Path, command: Command) -> None:
    stdin = f"\ufeffessay-1\r\n\r\n{HOSTILE}\nx,y;z\n".encode()
    done = command("scans", "import", "-", "--json", stdin=stdin)
    assert done.exit_code == 0
    assert done.json == {
        "new": 3,
        "updated": 0,
        "known": 0,
        "forgotten": 0,
        "bad": 0,
        "problems": [],
    }
    assert [scan["scan"] for scan in listed(command)] == ["essay-1", HOSTILE, "x,y;z"]


def test_csv_tells_everything_a_scan_may_have(home: Path, command: Command) -> None:
    rows = (
        "Scan;account;result_ids;expires_at;pdf_report\n"
        'essay-1;team-b;"r1; r2 r1";2026-03-01T12:00:00+01:00;true\n'
        'essay-2;;"[""7"", 8]";1790000000;False\n'
        "essay-3;;[];;\n"
    )
    assert command("scans", "import", "-", stdin=rows.encode()).exit_code == 0
    one, two, three = (
        command("scans", "show", name, "--json").json["scan"]
        for name in ("essay-1", "essay-2", "essay-3")
    )
    assert (one["account"], one["expires_at"]) == ("team-b", 1772362800.0)
    assert one["details"] == {"result_ids": ["r1", "r2"], "enabled": {"pdf_report": True}}
    assert (two["account"], two["expires_at"]) == ("default", 1790000000.0)
    assert two["details"] == {"result_ids": ["7", "8"], "enabled": {"pdf_report": False}}
    assert three["details"] == {"result_ids": []}


def test_json_lines_are_told_by_their_first_line(home: Path, command: Command) -> None:
    lines = [
        {"scan": HOSTILE, "result_ids": ["2a1b402420"], "overview": True, "account": "team-b"},
        {"scan": "essay-2", "expires_at": 1790000000.5, "ai_detection": None},
    ]
    stdin = "\n".join(json.dumps(line) for line in lines).encode()
    assert command("scans", "import", "-", "--json", stdin=stdin).json["new"] == 2
    (scan,) = listed(command, "--account", "team-b")
    assert scan["scan"] == HOSTILE


def test_bad_lines_are_told_by_number_and_good_ones_kept(home: Path, command: Command) -> None:
    lines = [
        b"scan,result_ids,expires_at,overview,account",
        b"essay-1,,,,",
        b"ab,,,,",
        b"essay 2,,,,",
        b"essay-3,,tomorrow,,",
        b"essay-4,,1790000000000,,",
        b"essay-5,,,perhaps,",
        b"essay-6,,,,Team B",
        b"essay-7,[1,,,",
        b"essay-8,,",
        b'"essay-9,,,,',
        b"essay-\xff,,,,",
        b"essay-10,,,,",
    ]
    done = command("scans", "import", "-", "--json", stdin=b"\n".join(lines))
    assert done.exit_code == 1
    reasons = {one["where"]: one["reason"] for one in done.json["problems"]}
    assert list(reasons) == [f"line {number}" for number in range(3, 13)]
    expected = (
        "scan:",
        "scan:",
        "expires_at:",
        "expires_at:",
        "overview:",
        "account:",
        "result_ids:",
        "3 values for 5 columns",
        "not a CSV row",
        "not UTF-8",
    )
    for reason, begins in zip(reasons.values(), expected, strict=True):
        assert reason.startswith(begins)
    assert [scan["scan"] for scan in listed(command)] == ["essay-1", "essay-10"]
    told = command("scans", "import", "-", stdin=b"\n".join(lines))
    assert "line 3: scan: 'ab' is no id of Copyleaks" in told.stderr
    assert "10 could not be used; the others are kept" in told.stderr


@pytest.mark.parametrize(
    "header", ["account,result_ids", "scan,colour", "scan,scan", "scan;account,overview"]
)
def test_a_header_that_cannot_be_used_imports_nothing(
    home: Path, command: Command, header: str
) -> None:
    done = command("scans", "import", "-", stdin=f"{header}\nessay-1,essay-2\n".encode())
    assert done.exit_code == 1
    assert f"the header '{header}' cannot be used: it needs the column scan" in done.stderr
    assert listed(command) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[]", "JSON, but not an object"),
        ("{", "not JSON"),
        ('{"scan": ["essay-1"]}', "scan: ['essay-1'] is not a text"),
        ('{"scan": null}', "scan: there is none"),
        ('{"scan": "essay-1", "colour": 1}', "'colour' is no field of a scan"),
        ('{"scan": "essay-1", "result_ids": [""]}', "result_ids: '' is not"),
        ('{"scan": "essay-1", "result_ids": ["\\ud800"]}', "result_ids: '\\ud800' is not"),
        ('{"scan": "essay-1", "result_ids": {"a": 1}}', "result_ids: neither a list"),
        ('{"scan": "essay-1", "expires_at": NaN}', "expires_at: 'nan' is neither"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_json_that_is_no_scan_is_refused_with_the_field(
    home: Path, command: Command, line: str, reason: str
) -> None:
    stdin = f'{{"scan": "essay-0"}}\n{line}\n'.encode()
    done = command("scans", "import", "-", "--json", stdin=stdin)
    ((problem),) = done.json["problems"]
    assert problem["where"] == "line 2"
    assert problem["reason"].startswith(reason)
    assert [scan["scan"] for scan in listed(command)] == ["essay-0"]


def test_importing_again_adds_what_is_newly_known_and_forgets_nothing(
    home: Path, command: Command
) -> None:
    command("scans", "import", "-", stdin=b"scan,result_ids\nessay-1,r1 r2\nessay-2,r3\n")
    again = b"scan,result_ids,overview\nessay-1,r1 r2,\nessay-2,,true\nessay-3,,\nessay-3,,\n"
    done = command("scans", "import", "-", "--json", stdin=again)
    assert done.json == {
        "new": 1,
        "updated": 1,
        "known": 2,
        "forgotten": 0,
        "bad": 0,
        "problems": [],
    }
    details = command("scans", "show", "essay-2", "--json").json["scan"]["details"]
    assert details == {"result_ids": ["r3"], "enabled": {"overview": True}}


def test_five_thousand_lines_are_imported_in_their_order(home: Path, command: Command) -> None:
    file = home / "many.csv"
    rows = (f"essay-{number},r{number}" for number in range(5000))
    file.write_text("scan,result_ids\n" + "\n".join(rows))
    assert command("scans", "import", str(file), "--json").json["new"] == 5000
    found = command("scans", "list", "--limit", "5000", "--json").json
    assert not found["more"]
    assert [scan["scan"] for scan in found["scans"]] == [f"essay-{n}" for n in range(5000)]


def test_list_says_when_there_is_more(home: Path, command: Command) -> None:
    command("scans", "import", "-", stdin=b"essay-1\nessay-2\nessay-3\n")
    assert command("scans", "list", "--limit", "2", "--json").json["more"]
    shown = command("scans", "list", "--limit", "2")
    assert "essay-2" in shown.stdout
    assert "essay-3" not in shown.stdout
    assert "only the first 2 scans" in shown.stderr
    assert listed(command, "--state", "failed") == []


def test_show_takes_the_vendors_id_or_dagsters_key(home: Path, command: Command) -> None:
    command("scans", "import", "-", stdin=f"{HOSTILE}\n--json\n".encode())
    escaped = "a=2f=2e=2e=2fb=252f=3b=3a=22=3cx=3e"
    for name in (HOSTILE, escaped):
        assert command("scans", "show", "--json", name).json["scan"]["scan"] == HOSTILE
    assert command("scans", "show", "--json", "--", "--json").json["scan"]["scan"] == "--json"
    assert f"partition   {escaped}" in command("scans", "show", HOSTILE).stdout


def test_one_id_in_two_accounts_has_to_be_told_apart(home: Path, command: Command) -> None:
    rows = b"scan,account\nessay-1,\nessay-1,team-b\n"
    command("scans", "import", "-", stdin=rows)
    unclear = command("scans", "show", "essay-1")
    assert unclear.exit_code == 1
    assert (
        "(copyleaks default, copyleaks team-b): name one by --vendor and --account"
        in unclear.stderr
    )
    shown = command("scans", "show", "essay-1", "--account", "team-b", "--json")
    assert shown.json["scan"]["account"] == "team-b"
    by_key = command("scans", "show", "team-b:essay-1", "--json")
    assert by_key.json["scan"]["account"] == "team-b"


@pytest.mark.parametrize("name", ["nobody", "\udcff\udcfe", "a\x1b[31mb", "=zz", "x" * 5000, "'"])
def test_an_unknown_id_is_a_sentence(home: Path, command: Command, name: str) -> None:
    done = command("scans", "show", name)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "the ledger has no scan" in done.stderr
    assert "\x1b" not in done.stderr


def test_activate_tells_where_the_scan_will_be(home: Path, command: Command) -> None:
    command("scans", "import", "-", stdin=b"Essay-1\n")
    done = command("scans", "activate", "Essay-1")
    assert done.exit_code == 0
    assert "appears at the next tick in the UI as the partition =45ssay-1" in done.stdout


def test_a_file_that_is_not_there_is_a_usage_error(home: Path, command: Command) -> None:
    done = command("scans", "import", "nowhere.csv")
    assert done.exit_code == 2
    assert "nowhere.csv: No such file or directory" in done.stderr


@pytest.mark.parametrize("group", ["scans", "inbox"])
def test_a_file_that_brings_nothing_in_is_told_as_such(
    home: Path, command: Command, group: str
) -> None:
    empty = command(group, "import", "-")
    assert (empty.exit_code, empty.stderr) == (0, "")
    assert empty.stdout == "nothing was imported: it holds no scan\n"
    bad = command(group, "import", "-", stdin=b'{"scan": 7}\n')
    assert (bad.exit_code, bad.stdout) == (1, "nothing was imported\n")
    assert bad.stderr.endswith("1 could not be used\n")
    assert "credentials" not in bad.stderr
