"""What Copyleaks's payloads have in common: ids, how they are read, the login, its errors."""

from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from export_pipeline.scans import escape
from export_pipeline.vendors import payloads
from export_pipeline.vendors.fields import HeaderSecret, Moment, Perhaps

RESULT_NAME_BYTES = 200
"""Ours: a result's escaped id, with which file systems' 255 bytes still hold all that we add."""


CopyleaksId = Annotated[str, Field(pattern=r"""^[a-zA-Z0-9!@$^&\-+%=_(){}<>';:/.",~`|]{3,36}$""")]
"""A scan's or export's id: 3 to 36 of these characters (seed 000, FACTS 1.3)."""
ID: TypeAdapter[str] = TypeAdapter(CopyleaksId, config=ConfigDict(hide_input_in_errors=True))


def makes_file_name(result_id: str) -> bool:
    """Whether a result's opaque id, escaped, is a file name on every store."""
    return 0 < len(escape(result_id)) <= RESULT_NAME_BYTES


class Incoming(payloads.Incoming):
    """Base of what Copyleaks sends, whose names are in camel case."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class LoginAnswer(Incoming):
    """The answer to a login (FACTS 1.1); its times' names begin with a dot."""

    access_token: HeaderSecret = Field(alias="access_token")
    issued: Moment = Field(alias=".issued")
    expires: Moment = Field(alias=".expires")

    @property
    def life_seconds(self) -> float:
        """How long the token lives: unlike `expires`, independent of the vendor's clock."""
        return (self.expires - self.issued).total_seconds()


class ErrorDetail(Incoming):
    """One parameter that the vendor found wrong."""

    param: str = ""
    message: str = ""


class ErrorFacts(Incoming):
    """What the vendor says went wrong; older bodies have code and message alone."""

    type: str = ""
    id: str = ""
    message: str = ""
    details: list[ErrorDetail] = Field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it as one text."""
        details = [detail.message for detail in self.details if detail.message != self.message]
        return " ".join(filter(None, [self.id and f"{self.id}:", self.message, *details]))


class ErrorEnvelope(Incoming):
    """The documented error body (FACTS 1.8)."""

    error: ErrorFacts


class Problem(Incoming):
    """The web framework's error body, ProblemDetails (FACTS 1.8).

    A request that does not fit the model is told by field in `errors` (ASP.NET's
    ValidationProblemDetails).
    """

    title: str
    detail: str = ""
    errors: Perhaps[dict[str, list[str] | str]] = None

    @property
    def details(self) -> list[ErrorDetail]:
        """What is wrong with each field."""
        return [
            ErrorDetail(param=field, message=f"{field}: {texts[0]}")
            for field, told in (self.errors or {}).items()
            if (texts := [told] if isinstance(told, str) else told)
        ]


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
    message = " ".join(filter(None, [problem.title, problem.detail]))
    return ErrorFacts(message=message, details=problem.details)
