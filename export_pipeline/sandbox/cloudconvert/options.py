"""How this CloudConvert behaves where its documents leave the choice open."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from export_pipeline.sandbox.changing import Choices, Free, is_count, is_text

DEFAULT_KEY = "eyJ0eXAiOiJKV1QifQ.eyJqdGkiOiI1YTRkMDAwMCJ9.c2FuZGJveA"
DEFAULT_WEBHOOK_SECRET = "5a4dwh00k0000c0de0000"  # noqa: S105  of the sandbox
SCOPES = ("user.read", "user.write", "task.read", "task.write", "webhook.read", "webhook.write")


@dataclass(frozen=True)
class Pace:
    """The vendor's limit per account, and how long its work and its patience last."""

    requests_per_minute: int
    work_seconds: float
    backoff_seconds: float


PACES = {
    # FACTS 4.6: that there is a limit is documented, its number is not. Ours is cautious.
    "documented": Pace(300, work_seconds=1.0, backoff_seconds=5.0),
    "fast": Pace(120_000, work_seconds=0.01, backoff_seconds=0.02),
}


@dataclass(frozen=True)
class Account:
    """An API key, what it may do, and the secret that signs for jobs and the first webhook."""

    id: int = 1
    key: str = dataclasses.field(default=DEFAULT_KEY, repr=False)
    scopes: tuple[str, ...] = SCOPES
    webhook_secret: str = dataclasses.field(default=DEFAULT_WEBHOOK_SECRET, repr=False)


@dataclass(frozen=True)
class CloudConvertOptions:
    """Choices that FACTS part 4 marks UNCONFIRMED, the pace, and the accounts.

    Args:
        pace: `documented` limits and work, or `fast`.
        requests_per_minute: another limit than the pace's, 0 for the pace's.
        invalid: the status of a refused request.
        new_job: the status of a job from its creation to its end.
        new_task: the status of a job's task that waits for others.
        job_inputs: whether a task of a job takes the files of other tasks by their names alone,
            as documented, or by their ids too, as an older page of the vendor's reads.
        payloads: whether what a task was told is told again without being asked.
        told_job: the status of a job in a webhook: its own, or none as in the documents' sample.
        listed_tasks: whether a list of jobs holds their tasks without being asked.
        jobs_at_once: how many unfinished jobs an account may have, 0 for any number.
        disabling: which answers to a webhook disable it; any 4xx did in older documents.
        job_webhooks_signed: whether calls to a job's own `webhook_url` are signed.
        dead_link: the status of a link that ended; Swift's is 401.
        ranges: whether a link answers parts of its file.
        retry_after: whether a 429 tells how long to wait.
        zip_name: a ZIP of several files is called `archive.zip`, or by its task's id.
        zip_of_one: whether a single file is packed too where ZIPs are asked for.
        sftp_folders: whether export/sftp writes into folders that are there, or makes them too.
        azure_url: where the storage account of that name has its blobs.
        google_url: where Google Cloud Storage is.
        google_token_url: where it gives tokens for assertions.
    """

    pace: Literal["documented", "fast"] = "documented"
    requests_per_minute: int = 0
    invalid: Literal[422, 400] = 422
    new_job: Literal["processing", "waiting", "null"] = "processing"
    new_task: Literal["waiting", "queued"] = "waiting"
    job_inputs: Literal["names", "names_and_ids"] = "names"
    payloads: Literal["asked", "always"] = "asked"
    told_job: Literal["status", "null"] = "status"
    listed_tasks: bool = False
    jobs_at_once: int = 0
    disabling: Literal["410", "4xx"] = "410"
    job_webhooks_signed: bool = True
    dead_link: Literal[401, 403, 404, 410] = 401
    ranges: bool = True
    retry_after: bool = True
    zip_name: Literal["archive", "task"] = "archive"
    zip_of_one: bool = True
    sftp_folders: Literal["there", "made"] = "there"
    azure_url: str = "https://{account}.blob.core.windows.net"
    google_url: str = "https://storage.googleapis.com"
    google_token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105  a URL
    accounts: tuple[Account, ...] = (Account(),)

    @property
    def limits(self) -> Pace:
        """The numbers in force."""
        pace = PACES[self.pace]
        requests = self.requests_per_minute or pace.requests_per_minute
        return dataclasses.replace(pace, requests_per_minute=requests)


CHOICES: Choices = {
    "pace": ("documented", "fast"),
    "invalid": (422, 400),
    "new_job": ("processing", "waiting", "null"),
    "new_task": ("waiting", "queued"),
    "job_inputs": ("names", "names_and_ids"),
    "payloads": ("asked", "always"),
    "told_job": ("status", "null"),
    "listed_tasks": (True, False),
    "disabling": ("410", "4xx"),
    "job_webhooks_signed": (True, False),
    "dead_link": (401, 403, 404, 410),
    "ranges": (True, False),
    "retry_after": (True, False),
    "zip_name": ("archive", "task"),
    "zip_of_one": (True, False),
    "sftp_folders": ("there", "made"),
}
FREE: Free = {
    **dict.fromkeys(("requests_per_minute", "jobs_at_once"), is_count),
    **dict.fromkeys(("azure_url", "google_url", "google_token_url"), is_text),
}
