"""Every payload that goes to Copyleaks or comes from it."""

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from export_pipeline.scans import escape
from export_pipeline.vendors.fields import HeaderSecret, Moment

RESULTS_PER_EXPORT = 1000
"""Seed 000: `results`, at most 1000 items."""
MAX_UPLOAD_TRIES = 12
"""Seed 000: `maxRetries`, 1 to 12."""
DEFAULT_UPLOAD_TRIES = 3
PAYLOAD_CHARACTERS = 512
"""FACTS 1.4: the official SDKs' limit on `developerPayload`."""
PDF_ALERT_CATEGORY = 9
"""FACTS 1.6: an alert of this category means that there will be no PDF."""
RESULT_NAME_BYTES = 200
"""Ours: a result's escaped id, with which file systems' 255 bytes still hold all that we add."""


Header = tuple[str, str]

CopyleaksId = Annotated[str, Field(pattern=r"""^[a-zA-Z0-9!@$^&\-+%=_(){}<>';:/.",~`|]{3,36}$""")]
"""A scan's or export's id: 3 to 36 of these characters (seed 000, FACTS 1.3)."""
ID: TypeAdapter[str] = TypeAdapter(CopyleaksId, config=ConfigDict(hide_input_in_errors=True))


def makes_file_name(result_id: str) -> bool:
    """Whether a result's opaque id, escaped, is a file name on every store."""
    return 0 < len(escape(result_id)) <= RESULT_NAME_BYTES


class _Outgoing(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", hide_input_in_errors=True
    )


class Destination(_Outgoing):
    """Where the vendor writes one artifact; URL and headers carry authority."""

    verb: str = Field(pattern="^[A-Z]+$")
    endpoint: str = Field(min_length=1, repr=False)
    headers: list[Header] = Field(default=[], repr=False)


class ResultDestination(Destination):
    """Where the vendor writes one result."""

    id: str = Field(min_length=1)


class ExportRequest(_Outgoing):
    """The body of an export call (seed 000)."""

    completion_webhook: str = Field(min_length=1, repr=False)
    completion_webhook_headers: list[Header] = Field(default=[], repr=False)
    max_retries: int = Field(default=DEFAULT_UPLOAD_TRIES, ge=1, le=MAX_UPLOAD_TRIES)
    developer_payload: str | None = Field(default=None, max_length=PAYLOAD_CHARACTERS)
    results: list[ResultDestination] = Field(default=[], max_length=RESULTS_PER_EXPORT)
    pdf_report: Destination | None = None
    crawled_version: Destination | None = None
    ai_detection: Destination | None = None
    writing_feedback: Destination | None = None
    overview: Destination | None = None

    def to_bytes(self) -> bytes:
        """The body as sent."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class _Incoming(BaseModel):
    """Lenient: what we do not use is ignored, and null is the same as missing."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}


class LoginAnswer(_Incoming):
    """The answer to a login (FACTS 1.1); its times' names begin with a dot."""

    access_token: HeaderSecret = Field(alias="access_token")
    issued: Moment = Field(alias=".issued")
    expires: Moment = Field(alias=".expires")

    @property
    def life_seconds(self) -> float:
        """How long the token lives: unlike `expires`, independent of the vendor's clock."""
        return (self.expires - self.issued).total_seconds()


class ExportTask(_Incoming):
    """The vendor's word on one artifact of an export (FACTS 1.5)."""

    endpoint: str = Field(repr=False)
    is_healthy: bool = False
    http_status_code: int | None = None


class ExportCompleted(_Incoming):
    """The webhook that ends an export; it names neither scan nor export (FACTS 1.5)."""

    completed: bool = False
    tasks: list[ExportTask] = []


class Result(_Incoming):
    """One result of a scan; its id is opaque, and sometimes an integer.

    Of any length here, as one odd id must not cost the whole scan: see `makes_file_name`.
    """

    id: str = Field(min_length=1)


class Results(_Incoming):
    """The four lists over which a scan's results are spread."""

    internet: list[Result] = []
    database: list[Result] = []
    batch: list[Result] = []
    repositories: list[Result] = []

    @property
    def ids(self) -> list[str]:
        """All results' ids, each once."""
        lists = (self.internet, self.database, self.batch, self.repositories)
        return list(dict.fromkeys(result.id for results in lists for result in results))


class Enabled(_Incoming):
    """Which reports the submission switched on; newer scans alone tell."""

    pdf_report: bool | None = None
    ai_detection: bool | None = None
    writing_feedback: bool | None = None


class Metadata(_Incoming):
    """What the vendor knows of the submitted document."""

    filename: str | None = None
    final_url: str | None = None
    author: str | None = None


class ScannedDocument(_Incoming):
    """The submitted document."""

    scan_id: CopyleaksId
    total_words: int | None = None
    creation_time: Moment | None = None
    metadata: Metadata = Metadata()
    enabled: Enabled = Enabled()


class Alert(_Incoming):
    """Something that went wrong in a scan that succeeded."""

    category: int = 0
    code: str = ""
    title: str = ""
    message: str = ""


class Notifications(_Incoming):
    """A scan's alerts."""

    alerts: list[Alert] = []

    @property
    def pdf_alert(self) -> str | None:
        """Why there is no PDF, None if nothing says so."""
        found = [alert for alert in self.alerts if alert.category == PDF_ALERT_CATEGORY]
        texts = [alert.message or alert.title or alert.code for alert in found]
        return "; ".join(filter(None, texts)) or "an alert without text" if found else None


class CompletedWebhook(_Incoming):
    """A scan finished (FACTS 1.6)."""

    scanned_document: ScannedDocument
    results: Results = Results()
    notifications: Notifications = Notifications()


class ErrorDetail(_Incoming):
    """One parameter that the vendor found wrong."""

    param: str = ""
    message: str = ""


class ErrorFacts(_Incoming):
    """What the vendor says went wrong; older bodies have code and message alone."""

    type: str = ""
    id: str = ""
    message: str = ""
    details: list[ErrorDetail] = []

    @property
    def text(self) -> str:
        """All of it as one text."""
        details = [detail.message for detail in self.details if detail.message != self.message]
        return " ".join(filter(None, [self.id and f"{self.id}:", self.message, *details]))


class ErrorWebhook(_Incoming):
    """A scan failed (FACTS 1.6); whether it names the scan is up to the vendor.

    `developer_payload` comes back as it was set when the scan was submitted.
    """

    error: ErrorFacts = ErrorFacts()
    developer_payload: Any = None
    scan_id: CopyleaksId | None = None
    scanned_document: ScannedDocument | None = None

    @property
    def scan(self) -> str | None:
        """The failed scan's id, where any part of the body is one."""
        if self.scan_id is not None:
            return self.scan_id
        if self.scanned_document is not None:
            return self.scanned_document.scan_id
        try:
            return ID.validate_python(self.developer_payload)
        except ValidationError:
            return None


class CreditsCheckedWebhook(_Incoming):
    """A scan's price is known; nothing was scanned."""

    scanned_document: ScannedDocument | None = None


class IndexedWebhook(_Incoming):
    """A document was indexed; there is nothing to export."""


class ErrorEnvelope(_Incoming):
    """The documented error body (FACTS 1.8)."""

    error: ErrorFacts


class Problem(_Incoming):
    """The web framework's error body, ProblemDetails (FACTS 1.8)."""

    title: str
    detail: str = ""


def read_error(body: bytes) -> ErrorFacts:
    """Read an error body in any of its three shapes: envelope, ProblemDetails, bare text."""
    try:
        return ErrorEnvelope.model_validate_json(body).error
    except ValidationError:
        pass
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        return ErrorFacts(message=body.decode(errors="replace"))
    return ErrorFacts(message=" ".join(filter(None, [problem.title, problem.detail])))
