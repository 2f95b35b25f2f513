"""CloudConvert's variables: its hosts, its limit, how files come, and each account's key."""

import json
import re
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, SecretStr

from export_pipeline.vendors.fields import HeaderSecret, base_address
from export_pipeline.vendors.options import VendorAccount, VendorOptions, part, variable

PREFIX = "EXPORT_CLOUDCONVERT_"
REQUESTS_PER_MINUTE = 300
"""Ours: no limit is published (FACTS 4.6), and a 429 lets the account rest in any case."""
NEVER_ANSWERED = 410
"""It turns the webhook off for good (FACTS 4.7)."""
PDFA_TASK = {"operation": "convert", "input_format": "pdf", "output_format": "pdf", "pdf_a": True}

_SEPARATORS = re.compile(r"[,;\s]+")


class Way(StrEnum):
    """How files come: the best that can be had, always by URL, or written by lent credentials."""

    AUTO = "auto"
    URL = "url"
    STORAGE = "storage"


class Found(StrEnum):
    """What discovery registers."""

    JOBS = "jobs"
    TASKS = "tasks"


def _words(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(word for word in _SEPARATORS.split(value) if word and word != "none")


def _task(value: Any) -> Any:
    try:
        task = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        task = None
    if not isinstance(task, dict) or not isinstance(task.get("operation"), str):
        example = json.dumps(PDFA_TASK)
        raise ValueError(f"it is no JSON object with an operation, such as {example}")  # noqa: TRY004
    return task


def _status(status: int) -> int:
    if status == NEVER_ANSWERED:
        raise ValueError("CloudConvert turns the webhook off for good at 410: use another")
    return status


class CloudConvertOptions(VendorOptions):
    """What can be set of CloudConvert beside its accounts."""

    prefix: ClassVar[str] = PREFIX

    api_url: Annotated[str, base_address("https://api.cloudconvert.com", "/v2")] = variable(
        PREFIX + "API_URL",
        "CloudConvert's API: of a region, or of its sandbox",
        default="https://api.cloudconvert.com",
    )
    sync_url: Annotated[str, base_address("https://sync.api.cloudconvert.com", "/v2")] = variable(
        PREFIX + "SYNC_URL",
        "Its host whose answers wait for the end of a job",
        default="https://sync.api.cloudconvert.com",
    )
    sync: bool = variable(
        PREFIX + "SYNC",
        "Wait for the end of each export at that host, before it is asked after",
        default=False,
    )
    requests_per_minute: int = variable(
        PREFIX + "REQUESTS_PER_MINUTE",
        "Most calls that are sent on an account",
        default=REQUESTS_PER_MINUTE,
        gt=0,
    )
    delivery: Way = variable(
        PREFIX + "DELIVERY",
        "How files come: auto, url (we read them), or storage (lent credentials)",
        default=Way.AUTO,
    )
    inline: bool = variable(
        PREFIX + "INLINE",
        "Have URLs show files in a browser in place of saving them",
        default=False,
    )
    archive_multiple_files: bool = variable(
        PREFIX + "ARCHIVE_MULTIPLE_FILES",
        "Have several files of a scan come as one ZIP",
        default=False,
    )
    discover: Annotated[tuple[Found, ...], BeforeValidator(_words)] = variable(
        PREFIX + "DISCOVER",
        "What is registered by itself once it is finished: jobs, tasks (those of no job), or none",
        default=(Found.JOBS, Found.TASKS),
    )
    discover_tag: str = variable(
        PREFIX + "DISCOVER_TAG", "Only jobs with this tag are; empty: all", default=""
    )
    reject: Annotated[int, AfterValidator(_status)] = variable(
        PREFIX + "REJECT",
        "What a webhook with a wrong signature is answered",
        default=401,
        ge=200,
        le=599,
    )
    job_webhooks: bool = variable(
        PREFIX + "JOB_WEBHOOKS",
        "Name our webhook in each job that we make, where a signing secret is set",
        default=True,
    )
    pdfa_task: Annotated[dict[str, Any] | None, BeforeValidator(_task)] = variable(
        PREFIX + "PDFA_TASK",
        "Task that makes a PDF/A of a PDF, a JSON object; empty: convert with pdf_a",
        default=None,
    )


def _secrets(value: Any) -> Any:
    return tuple(filter(None, _SEPARATORS.split(value))) if isinstance(value, str) else value


class CloudConvertSigner(VendorAccount):
    """What tells an account's webhooks genuine: all that the receiver needs of it."""

    webhook_secrets: Annotated[tuple[SecretStr, ...], BeforeValidator(_secrets)] = part(
        "WEBHOOK_SECRET",
        "Signing secret of its webhooks; while one is replaced both, with a comma between",
        default=(),
    )


class CloudConvertAccount(CloudConvertSigner):
    """One account's credentials."""

    key: HeaderSecret = part("KEY", "API key with the scopes task.read and task.write")
