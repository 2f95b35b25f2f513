"""What the vendor says of a job of ours, as the workflow knows it."""

from typing import Any

import pytest

from export_pipeline.vendors.cloudconvert.artifacts import ONE
from export_pipeline.vendors.cloudconvert.ending import completion_of
from export_pipeline.vendors.cloudconvert.models import Job, Task

ORDER = "0" * 32


def export(**told: Any) -> Job:
    task = Task.model_validate({"id": "t", "operation": "export/upload", **told})
    return Job.of_task(task, ONE)


@pytest.mark.parametrize(
    "status", [None, "waiting", "queued", "processing", "cancelled", "unheard"]
)
def test_a_status_that_is_no_end_is_waited_for(status: str | None) -> None:
    assert completion_of(export(status=status), ORDER, ["files/a"]) is None


@pytest.mark.parametrize(
    ("code", "is_final"),
    [
        ("SANDBOX_FILE_NOT_ALLOWED", True),
        ("INPUT_TASK_FAILED", True),
        ("EXPORT_FAILED", False),
        ("A_CODE_OF_TOMORROW", False),
        (None, False),
    ],
)
def test_a_code_that_another_order_would_meet_again_is_final(
    code: str | None, is_final: bool
) -> None:
    told = completion_of(export(status="error", code=code, message="No."), ORDER, ["files/a"])
    assert told is not None
    assert (told.is_final, told.is_ready) == (is_final, False)
    assert told.failure == f"task one (export/upload): No.{f', {code}' if code else ''}"


def test_a_failure_repeats_no_signature_of_where_it_was_to_write() -> None:
    message = "PUT https://user:pa55@host/key?X-Amz-Signature=5da1b944 was answered 403"
    told = completion_of(export(status="error", message=message), ORDER, ["files/a"])
    assert told is not None
    assert "host" in told.failure
    assert not any(secret in told.failure for secret in ("pa55", "5da1b944"))
