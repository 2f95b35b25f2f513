from datetime import UTC, datetime
from typing import Any

import pytest

from export_pipeline.errors import BadInput
from export_pipeline.vendors.hookbridge.importing import read_line

EXPORT = "01935abc-def0-7123-4567-890abcdef012"
DAY = {"start_time": "2026-11-21T00:00:00Z", "end_time": "2026-11-22T00:00:00Z"}


@pytest.mark.parametrize(
    ("line", "scan", "details"),
    [
        ({"scan": EXPORT}, EXPORT, {"export_id": EXPORT}),
        ({"scan": f" {EXPORT.upper()} ", "status": ""}, EXPORT, {"export_id": EXPORT}),
        ({"scan": "2026-11-21"}, "2026-11-21", {"filters": DAY}),
        (DAY, "2026-11-21", {"filters": DAY}),
        (
            {"scan": "2026-11-21.inbound", "status": "queued"},
            "2026-11-21.inbound.queued",
            {"filters": {**DAY, "direction": "inbound", "status": "queued"}},
        ),
        (
            {**DAY, "endpoint_id": "ep_550e8400e29b41d4a716446655440000", "scan": None},
            "2026-11-21.ep_550e8400e29b41d4a716446655440000",
            {"filters": {**DAY, "endpoint_id": "ep_550e8400e29b41d4a716446655440000"}},
        ),
    ],
)
def test_a_line_names_an_export_or_a_window(
    line: dict[str, Any], scan: str, details: dict[str, Any]
) -> None:
    found = read_line(line)
    assert (found.scan, found.details, found.expires_at) == (scan, details, None)


def test_the_end_of_an_export_is_kept() -> None:
    found = read_line({"scan": EXPORT, "expires_at": "2026-12-01T00:00:00Z"})
    assert found.expires_at == datetime(2026, 12, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({}, "start_time: Field required; end_time: Field required"),
        ({"scan": 'a/../b%2f;:"<x>'}, "scan: 'a/../b%2f;:\"<x>' is neither an export's id nor"),
        ({"scan": ["2026-11-21"]}, "scan: ['2026-11-21'] is neither"),
        ({"scan": "2026-11-21", "end_time": DAY["end_time"]}, "end_time: scan says it already"),
        ({"scan": EXPORT, "status": "queued"}, "status: scan says it already"),
        ({**DAY, "status": "lost"}, "status: Input should be"),
        ({**DAY, "start_time": "2026-11-21"}, "start_time: without a time zone: end it with Z"),
        ({**DAY, "end_time": "2020-01-01T00:00:00Z"}, "end_time: not after start_time"),
        ({**DAY, "start_time": "0001-01-01T00:00:00+14:00"}, "start_time: before the year 1"),
        ({**DAY, "end_time": "9999-12-31T23:59:59-14:00"}, "end_time: before the year 1"),
        ({**DAY, "inbound_endpoint_id": EXPORT}, "inbound_endpoint_id: only of inbound exports"),
        ({"scan": EXPORT, "expires_at": "soon"}, "expires_at: Input should be a valid datetime"),
        ({"scan": EXPORT, "expires_at": "2026-12-01"}, "expires_at: without a time zone"),
        ({"day": "2026-11-21"}, "'day' is no field of a scan: use scan, start_time"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(line: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_line(line)
    assert str(caught.value).startswith(reason)
