"""Finished jobs that a test or a demo makes without ordering them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from export_pipeline.sandbox.cloudconvert.cloudconvert import CloudConvert
from export_pipeline.sandbox.cloudconvert.jobs import Job
from export_pipeline.sandbox.cloudconvert.tasks import LIFE_SECONDS, MadeFile, Task

IMPORT, EXPORT = "import-files", "export-files"


@dataclass(frozen=True)
class FileSpec:
    """A file of a finished job: its text, repeated up to `size` bytes where that is given."""

    filename: str
    dir: str = ""
    text: str = "A converted file.\n"
    size: int | None = None

    @property
    def file(self) -> MadeFile:
        """The file."""
        body = self.text.encode()
        if self.size is not None:
            body = (body * (self.size // max(len(body), 1) + 1))[: self.size]
        return MadeFile(self.filename, body, self.dir)


@dataclass(frozen=True)
class JobSpec:
    """A finished job to make by the control endpoint.

    Args:
        files: what its only task made.
        tag: of the job.
        age_seconds: how long ago it ended.
        took_seconds: from its creation until then.
        exported: whether it has an export/url too.
        error: why its only task failed, "" if it did not.
        account: whose it is; the first one's without.
    """

    files: tuple[FileSpec, ...] = ()
    tag: str | None = None
    age_seconds: float = 60.0
    took_seconds: float = 0.0
    exported: bool = False
    error: str = ""
    account: int = 1

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "JobSpec":
        """A spec as posted to the control endpoint; raises ValueError on anything unknown."""
        if unknown := body.keys() - {one.name for one in fields(cls)}:
            raise ValueError(f"a job has no fields {sorted(unknown)}")
        return cls(**{**body, "files": tuple(FileSpec(**one) for one in body.get("files", ()))})


def make(vendor: CloudConvert, spec: JobSpec) -> Job:
    """Put such a job among the vendor's; its webhooks are not sent."""
    ended = vendor.clock.now() - spec.age_seconds
    job = Job(vendor.shelf.new_id(), spec.account, ended - spec.took_seconds, spec.tag)
    made = _task(vendor, job, IMPORT, {"operation": "import/url", "url": "https://example.com/"})
    made.files = [one.file for one in spec.files]
    made.end(ended, code="IMPORT_FAILED" if spec.error else None, message=spec.error or None)
    if spec.exported:
        export = _task(vendor, job, EXPORT, {"operation": "export/url", "input": [IMPORT]})
        export.inputs = [made.id]
        seconds = LIFE_SECONDS - spec.age_seconds
        vendor.exporting.give_links(export, made.files, seconds)
        export.end(ended)
    vendor.shelf.add(job)
    job.end(ended)
    return job


def _task(vendor: CloudConvert, job: Job, name: str, payload: dict[str, Any]) -> Task:
    task_id = vendor.shelf.new_id()
    task = Task(task_id, job.account, payload["operation"], payload, job.created)
    task.job, task.name = job.id, name
    task.begin(job.created)
    job.tasks.append(task)
    return task
