"""One line of an import file: what it becomes, or which field is wrong."""

from typing import Any

import pytest

from export_pipeline.errors import BadInput
from export_pipeline.vendors.cloudconvert.details import ScanDetails
from export_pipeline.vendors.cloudconvert.importing import read_line
from export_pipeline_tests.vendors import rows
from export_pipeline_tests.vendors.ids import HOSTILE_IDS

JOB = "6559c281-ed85-4728-80db-414561c631e9"


@pytest.mark.parametrize(
    ("line", "scan", "details"),
    [
        ({"scan": JOB}, JOB, {}),
        ({"scan": f" {JOB.upper()} ", "kind": "job"}, JOB, {"kind": "job"}),
        ({"scan": JOB, "kind": "task"}, JOB, {"kind": "task"}),
        ({"scan": "a/../b", "kind": "Tag"}, "tag:a/../b", {"kind": "tag"}),
        ({"scan": "tag:mine"}, "tag:mine", {"kind": "tag"}),
        (
            {"scan": JOB, "delivery": "url", "inline": "true", "archive_multiple_files": "1"},
            JOB,
            {"delivery": "url", "inline": True, "archive_multiple_files": True},
        ),
    ],
)
def test_a_line_is_a_job_a_task_or_a_tag(
    line: dict[str, Any], scan: str, details: dict[str, Any]
) -> None:
    told = read_line(line)
    assert (told.scan, told.details) == (scan, details)
    assert ScanDetails.of_scan(rows.scan("cloudconvert", told.scan, **told.details))


def test_the_end_of_a_scan_is_taken_in_utc() -> None:
    assert read_line({"scan": JOB, "expires_at": "2026-11-21T00:00:00"}).expires_at == 1795219200
    assert read_line({"scan": JOB, "expires_at": 1795219200}).expires_at == 1795219200


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({}, "scan: there is none"),
        ({"scan": "letter"}, "scan: 'letter' is no id"),
        *(({"scan": one}, "scan: ") for one in HOSTILE_IDS),
        ({"scan": JOB, "kind": "conversion"}, "kind: "),
        ({"scan": JOB, "delivery": "mail"}, "delivery: "),
        ({"scan": JOB, "inline": "maybe"}, "inline: "),
        ({"scan": JOB, "archive_multiple_files": 7}, "archive_multiple_files: "),
        ({"scan": JOB, "expires_at": "soon"}, "expires_at: "),
        ({"scan": JOB, "source": "x"}, "'source' is no field"),
    ],
)
def test_what_cannot_be_used_is_named(line: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput, match=field):
        read_line(line)


@pytest.mark.parametrize("scan", [*HOSTILE_IDS, "letter", JOB.upper(), f"{JOB}.pdfa"])
def test_an_id_that_no_details_explain_is_none_of_the_vendors(scan: str) -> None:
    assert ScanDetails.of_scan(rows.scan("cloudconvert", scan)) is None
