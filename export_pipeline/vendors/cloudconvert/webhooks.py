"""What CloudConvert's webhooks say (FACTS 4.7): a job of the team's, or one of ours, ended."""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import ValidationError

from export_pipeline.errors import BadInput
from export_pipeline.validation import in_words
from export_pipeline.vendors.cloudconvert.details import Kind, ScanDetails
from export_pipeline.vendors.cloudconvert.ending import completion_of
from export_pipeline.vendors.cloudconvert.models import ERROR, FINISHED, JobEvent
from export_pipeline.vendors.cloudconvert.options import CloudConvertOptions, Found
from export_pipeline.vendors.cloudconvert.signatures import ENDED, FINISHED_EVENT
from export_pipeline.vendors.cloudconvert.tags import is_ours, order_of
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.vendor import Registration


def read_registration(body: bytes, options: CloudConvertOptions) -> Registration | None:
    """The scan that a finished job is; None of jobs that are ours or are not to be registered.

    Raises:
        BadInput: the body is not what the vendor documents.
    """
    told = _parse(body)
    is_wanted = Found.JOBS in options.discover and options.discover_tag in ("", told.job.tag)
    if told.event != FINISHED_EVENT or is_ours(told.job.tag) or not is_wanted:
        return None
    return ScanDetails(kind=Kind.JOB).registration(told.job.id, told.job.expires_at)


def read_completion(body: bytes, names: Sequence[str]) -> Completion:
    """The end of a job of ours, which brings artifacts of these names.

    Raises:
        BadInput: the body is not what the vendor documents, or the job has not ended.
    """
    told = _parse(body)
    if told.event not in ENDED:
        raise BadInput(f"job {told.job.id} has not ended: the webhook is a {told.event}")
    # Its own status may be null there, as in the vendor's example.
    status = FINISHED if told.event == FINISHED_EVENT else ERROR
    job = told.job.model_copy(update={"status": status})
    word = completion_of(job, order_of(job.tag) or "", names) or Completion()
    return replace(word, vendor_order=job.id)


def _parse(body: bytes) -> JobEvent:
    try:
        return JobEvent.model_validate_json(body)
    except ValidationError as error:
        reason = in_words(error)
    raise BadInput(f"not the webhook that CloudConvert documents: {reason}")
