"""The body of the call that orders an export (seed 000)."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from export_pipeline.errors import OrderInvalid
from export_pipeline.storage.store import UploadTarget
from export_pipeline.validation import in_words
from export_pipeline.vendors.copyleaks.artifacts import RESULTS, RESULTS_PER_EXPORT
from export_pipeline.vendors.http import Call
from export_pipeline.vendors.placement import Placement

MAX_UPLOAD_TRIES = 12
"""Seed 000: `maxRetries`, 1 to 12."""
DEFAULT_UPLOAD_TRIES = 3
PAYLOAD_CHARACTERS = 512
"""FACTS 1.4: the official SDKs' limit on `developerPayload`."""

Header = tuple[str, str]


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


def export_body(call: Call, placement: Placement, upload_tries: int) -> bytes:
    """The body of the export call that asks for `placement`.

    Raises:
        OrderInvalid: the vendor would not take it; nothing was sent.
    """
    results: list[ResultDestination] = []
    singles: dict[str, Destination] = {}
    try:
        for name, target in placement.targets.items():
            kind = placement.kinds[name]
            if kind == RESULTS:
                result_id = placement.vendor_names[name]
                results.append(ResultDestination(id=result_id, **_destination(target)))
            else:
                singles[kind] = Destination(**_destination(target))
        return ExportRequest(
            completion_webhook=placement.completion.url,
            completion_webhook_headers=list(placement.completion.headers),
            max_retries=upload_tries,
            developer_payload=placement.order.id,
            results=results,
            **singles,
        ).to_bytes()
    except ValidationError as error:
        reason = in_words(error)
    raise call.error(OrderInvalid, f"not sent, the vendor would refuse it: {reason}")


def _destination(target: UploadTarget) -> dict[str, object]:
    return {"verb": target.verb, "endpoint": target.url, "headers": list(target.headers)}
