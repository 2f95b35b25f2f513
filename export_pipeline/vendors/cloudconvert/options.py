"""CloudConvert's variables: its hosts, its limit, how files come, and each account's key."""

import json
import re
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from export_pipeline.vendors.options import VendorAccount, VendorOptions, part

PREFIX = "EXPORT_CLOUDCONVERT_"
REQUESTS_PER_MINUTE = 300
"""Ours: no limit is published (FACTS 4.6), and a 429 lets the account rest in any case."""
NEVER_ANSWERED = 410
"""It turns the webhook off for good (FACTS 4.7)."""
PDFA_TASK = {"operation": "convert", "input_format": "pdf", "output_format": "pdf", "pdf_a": True}

_KEY = re.compile(r"[!-~]+")
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


def _variable(name: str, meaning: str, *, default: Any, **limits: Any) -> Any:
    return Field(default=default, alias=PREFIX + name, description=meaning, **limits)


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


def _sendable(key: SecretStr) -> SecretStr:
    if not _KEY.fullmatch(key.get_secret_value()):
        raise ValueError("no key: it has to be ASCII without blanks and line breaks")
    return key


class CloudConvertOptions(VendorOptions):
    """What can be set of CloudConvert beside its accounts."""

    prefix: ClassVar[str] = PREFIX

    api_url: str = _variable(
        "API_URL",
        "CloudConvert's API: of a region, or of its sandbox",
        default="https://api.cloudconvert.com",
    )
    sync_url: str = _variable(
        "SYNC_URL",
        "Its host whose answers wait for the end of a job",
        default="https://sync.api.cloudconvert.com",
    )
    sync: bool = _variable(
        "SYNC",
        "Order exports by URL at that host: fewer calls, each as long as the export",
        default=False,
    )
    requests_per_minute: int = _variable(
        "REQUESTS_PER_MINUTE",
        "Most calls that are sent on an account",
        default=REQUESTS_PER_MINUTE,
        gt=0,
    )
    delivery: Way = _variable(
        "DELIVERY",
        "How files come: auto, url (we read them), or storage (lent credentials)",
        default=Way.AUTO,
    )
    inline: bool = _variable(
        "INLINE", "Have URLs show files in a browser in place of saving them", default=False
    )
    archive_multiple_files: bool = _variable(
        "ARCHIVE_MULTIPLE_FILES", "Have several files of a scan come as one ZIP", default=False
    )
    discover: Annotated[tuple[Found, ...], BeforeValidator(_words)] = _variable(
        "DISCOVER",
        "What is registered by itself once it is finished: jobs, tasks (those of no job), or none",
        default=(Found.JOBS, Found.TASKS),
    )
    discover_tag: str = _variable(
        "DISCOVER_TAG", "Only jobs with this tag are; empty: all", default=""
    )
    reject: Annotated[int, AfterValidator(_status)] = _variable(
        "REJECT",
        "What a webhook with a wrong signature is answered",
        default=401,
        ge=200,
        le=599,
    )
    job_webhooks: bool = _variable(
        "JOB_WEBHOOKS",
        "Name our webhook in each job that we make, where a signing secret is set",
        default=True,
    )
    pdfa_task: Annotated[dict[str, Any] | None, BeforeValidator(_task)] = _variable(
        "PDFA_TASK",
        "Task that makes a PDF/A of a PDF, a JSON object; empty: convert with pdf_a",
        default=None,
    )


def _secrets(value: Any) -> Any:
    return tuple(filter(None, _SEPARATORS.split(value))) if isinstance(value, str) else value


class CloudConvertAccount(VendorAccount):
    """One account's credentials."""

    key: Annotated[SecretStr, AfterValidator(_sendable)] = part(
        "KEY", "API key with the scopes task.read and task.write"
    )
    webhook_secrets: Annotated[tuple[SecretStr, ...], BeforeValidator(_secrets)] = part(
        "WEBHOOK_SECRET",
        "Signing secret of its webhooks; while one is replaced both, with a comma between",
        default=(),
    )
