from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from export_pipeline.scans import escape
from export_pipeline.vendors.hookbridge.details import ExportDetails
from export_pipeline.vendors.hookbridge.filters import Direction, Filters, Status

DAY = {"start_time": "2026-11-21T00:00:00Z", "end_time": "2026-11-22T00:00:00Z"}
ENDPOINT = "ep_550e8400e29b41d4a716446655440000"
INBOUND_ENDPOINT = "01935abc-def0-7123-4567-890abcdef012"
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def any_filters(draw: st.DrawFn) -> Filters:
    start, end = sorted(draw(st.tuples(MOMENTS, MOMENTS).filter(lambda two: two[0] != two[1])))
    if draw(st.booleans()):
        start = start.replace(hour=0, minute=0, second=0, microsecond=0)
        end = start + timedelta(days=1)
    direction = draw(st.sampled_from(Direction))
    endpoint = draw(st.none() | st.uuids())
    is_inbound = direction == Direction.INBOUND
    return Filters(
        start_time=start,
        end_time=end,
        status=draw(st.none() | st.sampled_from(Status)),
        direction=direction,
        endpoint_id=f"ep_{endpoint.hex}" if endpoint and not is_inbound else None,
        inbound_endpoint_id=endpoint if is_inbound else None,
    )


def filters(**changes: Any) -> Filters:
    return Filters.model_validate({**DAY, **changes})


@given(any_filters())
def test_an_id_is_read_back_as_the_filters_that_wrote_it(found: Filters) -> None:
    assert Filters.of_scan_id(found.scan_id) == found
    assert ExportDetails.of_scan_id(found.scan_id) == ExportDetails(filters=found)


@given(any_filters(), any_filters())
def test_filters_that_differ_have_different_ids(one: Filters, other: Filters) -> None:
    assert (one.scan_id == other.scan_id) == (one == other)


@given(any_filters())
def test_an_id_is_a_partition_key_as_it_is(found: Filters) -> None:
    assert escape(found.scan_id) == found.scan_id


@pytest.mark.parametrize(
    ("changes", "scan_id"),
    [
        ({}, "2026-11-21"),
        ({"direction": "outbound"}, "2026-11-21"),
        ({"status": "failed_permanent"}, "2026-11-21.failed_permanent"),
        ({"direction": "inbound"}, "2026-11-21.inbound"),
        (
            {"direction": "inbound", "inbound_endpoint_id": INBOUND_ENDPOINT},
            f"2026-11-21.inbound.{INBOUND_ENDPOINT}",
        ),
        (
            {"status": "succeeded", "endpoint_id": ENDPOINT},
            f"2026-11-21.succeeded.{ENDPOINT}",
        ),
        (
            {"start_time": "2026-11-20T23:00:00Z", "end_time": "2026-11-21T23:00:00Z"},
            "2026-11-20t230000z_2026-11-21t230000z",
        ),
        ({"end_time": "2026-11-21T00:00:00.5Z"}, "2026-11-21t000000z_2026-11-21t000000500000z"),
        (
            {"start_time": "2026-11-21T01:00:00+01:00", "end_time": "2026-11-22T01:00:00+01:00"},
            "2026-11-21",
        ),
    ],
)
def test_an_id_tells_window_and_filters(changes: dict[str, str], scan_id: str) -> None:
    assert filters(**changes).scan_id == scan_id


@pytest.mark.parametrize(
    "scan_id",
    [
        "",
        "2026-11-31",
        "2026-11-21.",
        "2026-11-21.succeeded.succeeded",
        "2026-11-21.succeeded.inbound",
        "2026-11-21.outbound",
        "2026-11-21.nothing",
        f"2026-11-21.{INBOUND_ENDPOINT}",
        f"2026-11-21.inbound.{ENDPOINT}",
        "2026-11-21t000000z_2026-11-22t000000z",
        "2026-11-22t000000z_2026-11-21t000000z",
        "9999-12-31",
        "2026-11-21 ",
        "\u0662026-11-21",
        INBOUND_ENDPOINT.upper() + "A",
        f"urn:uuid:{INBOUND_ENDPOINT}",
        f"{{{INBOUND_ENDPOINT}}}",
    ],
)
def test_an_id_that_nothing_writes_is_read_as_nothing(scan_id: str) -> None:
    assert ExportDetails.of_scan_id(scan_id) is None


def test_an_exports_own_id_is_read_as_that_export() -> None:
    found = ExportDetails.of_scan_id(INBOUND_ENDPOINT)
    assert found == ExportDetails(export_id=UUID(INBOUND_ENDPOINT))
    assert found.scan_id == INBOUND_ENDPOINT


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"end_time": DAY["start_time"]}, "end_time: not after start_time"),
        ({"start_time": "2026-11-21T00:00:00"}, "without a time zone: end it with Z"),
        ({"status": "lost"}, "Input should be 'queued'"),
        ({"endpoint_id": "550e8400"}, "String should match pattern"),
        ({"endpoint_id": f"{ENDPOINT}\n"}, "String should match pattern"),
        ({"endpoint_id": ENDPOINT, "direction": "inbound"}, "endpoint_id: only of outbound"),
        ({"inbound_endpoint_id": INBOUND_ENDPOINT}, "inbound_endpoint_id: only of inbound"),
        ({"colour": "red"}, "Extra inputs are not permitted"),
    ],
)
def test_filters_that_the_vendor_would_refuse_say_why(changes: dict[str, str], reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        filters(**changes)
    assert reason in str(caught.value)


def test_what_is_sent_is_in_the_vendors_words_and_leaves_its_defaults_out() -> None:
    berlin = timezone(timedelta(hours=1))
    found = filters(start_time=datetime(2026, 11, 21, 1, tzinfo=berlin), status="succeeded")
    assert found.to_json() == {**DAY, "status": "succeeded"}
