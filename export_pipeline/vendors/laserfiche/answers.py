"""What Laserfiche answers: lenient, what we do not use is ignored, null is the same as missing.

A list is never missing: an error that comes with a success's status must not be taken for an empty
one, which would lose every task, or end a look at a folder.
"""

from enum import StrEnum

from pydantic import (
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from export_pipeline.vendors.fields import HeaderSecret, Moment
from export_pipeline.vendors.laserfiche.details import EntryFacts
from export_pipeline.vendors.payloads import Incoming

DOCUMENT = "Document"
SHORTCUT = "Shortcut"


class _Incoming(Incoming):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class TokenAnswer(_Incoming):
    """The answer to a login, cloud or self-hosted (FACTS 2.1)."""

    access_token: HeaderSecret = Field(alias="access_token")
    expires_in: float = Field(alias="expires_in", gt=0)


class Problem(_Incoming):
    """ProblemDetails, RFC 9457 (FACTS 2.8); a refused login's body is one too."""

    title: str = ""
    detail: str = ""
    status: int | None = None
    error_description: str = Field(default="", alias="error_description")

    @property
    def text(self) -> str:
        """All of it as one text."""
        texts = dict.fromkeys([self.title, self.detail, self.error_description])
        return " ".join(filter(None, texts))


class Entry(_Incoming):
    """An entry; a listing tells of a document only what is common to all (FACTS 2.7)."""

    id: int
    entry_type: str = Field(min_length=1)
    name: str = ""
    full_path: str | None = None
    creator: str | None = None
    last_modified_time: Moment | None = None
    template_name: str | None = None
    extension: str | None = None
    electronic_document_size: int | None = None
    is_electronic_document: bool | None = None
    page_count: int | None = None
    target_id: int | None = None

    @property
    def facts(self) -> EntryFacts:
        """What the ledger keeps of it."""
        return EntryFacts(
            name=self.name,
            path=self.full_path,
            modified=self.last_modified_time,
            creator=self.creator,
            template=self.template_name,
            extension=self.extension,
            size=self.electronic_document_size,
            pages=self.page_count,
            is_electronic=self.is_electronic_document,
        )


class Page(_Incoming):
    """A page of a listing; the next one's address carries authority only with our token."""

    next_link: str | None = Field(default=None, alias="@odata.nextLink", repr=False)


class EntryPage(Page):
    """A page of a listing or of a search's results."""

    value: list[Entry]


class AuditReason(_Incoming):
    """A reason that an administrator lets users give."""

    id: int
    name: str = ""
    audit_event_type: str = ""


class AuditReasonPage(Page):
    """A page of audit reasons."""

    value: list[AuditReason]


class Repository(_Incoming):
    """A repository that the account may see."""

    id: str = ""
    name: str = ""


class Repositories(_Incoming):
    """All of them."""

    value: list[Repository]


class ExportAnswer(_Incoming):
    """A synchronous export's link; whoever has it has the file."""

    value: str = Field(min_length=1, repr=False)


class StartedTask(_Incoming):
    """A long operation that began."""

    task_id: str = Field(min_length=1)


class TaskStatus(StrEnum):
    """How a task ended; any other status is one of a task that goes on."""

    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


class TaskResult(_Incoming):
    """What a completed task made; whoever has the link has the file."""

    uri: str = Field(default="", repr=False)


class Task(_Incoming):
    """A long operation, as the vendor tells of it."""

    id: str = ""
    status: str
    errors: list[Problem] = Field(default_factory=list)
    result: TaskResult = TaskResult()


class Tasks(_Incoming):
    """Those of the tasks asked after that the vendor knows."""

    value: list[Task]


def read_problem(body: bytes) -> Problem:
    """Read an error body: ProblemDetails, else bare text."""
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        problem = Problem()
    return problem if problem.text else Problem(title=body.decode(errors="replace"))
