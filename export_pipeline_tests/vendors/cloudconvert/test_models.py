"""CloudConvert's payloads in forms that its documents do not show, and a live vendor may take."""

from datetime import UTC, datetime
from typing import Any

import pytest

from export_pipeline.vendors.cloudconvert.models import (
    CREDITS_EXCEEDED,
    Job,
    Page,
    Task,
    read_error,
)

TASK = {"id": "t", "operation": "convert", "status": "finished"}


@pytest.mark.parametrize("name", sorted(Job.model_fields.keys() - {"id"}))
def test_null_is_the_same_as_nothing_in_a_job(name: str) -> None:
    assert Job.model_validate({"id": "j", name: None}) == Job.model_validate({"id": "j"})


@pytest.mark.parametrize("name", sorted(Task.model_fields.keys() - {"id"}))
def test_null_is_the_same_as_nothing_in_a_task(name: str) -> None:
    assert Task.model_validate({"id": "t", name: None}) == Task.model_validate({"id": "t"})


@pytest.mark.parametrize(
    "result", [None, [], {}, {"files": None}, {"files": []}, {"metadata": {"PageCount": 3}}]
)
def test_a_result_without_files_has_none(result: Any) -> None:
    """PHP writes an object without members as a list."""
    assert Task.model_validate({**TASK, "result": result}).files == []


def test_numbers_in_place_of_texts_are_texts() -> None:
    job = Job.model_validate({"id": "j", "tag": 7, "tasks": [{**TASK, "code": 500}]})
    assert (job.tag, job.tasks[0].code) == ("7", "500")


@pytest.mark.parametrize("links", [None, {}, {"next": None}])
def test_a_list_without_links_has_one_page(links: Any) -> None:
    assert Page.model_validate({"data": [], "links": links}).links.next is None


@pytest.mark.parametrize("errors", [None, [], {}])
def test_the_code_of_an_error_is_read_whatever_its_fields_are(errors: Any) -> None:
    told = f'{{"message": null, "code": "{CREDITS_EXCEEDED}", "errors": {errors or "[]"}}}'
    assert read_error(told.replace("'", '"').encode()) == (CREDITS_EXCEEDED, CREDITS_EXCEEDED, ())


@pytest.mark.parametrize(
    ("ended_at", "expires_at"),
    [
        ("2026-11-22T12:00:00+00:00", datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()),
        ("9999-12-31T23:59:59Z", None),
        ("0001-01-01T00:00:00Z", None),
        (None, None),
    ],
)
def test_the_end_of_what_ended_is_known_if_its_time_is_one(
    ended_at: str | None, expires_at: float | None
) -> None:
    assert Job.model_validate({"id": "j", "ended_at": ended_at}).expires_at == expires_at
