"""Reading what vendors send and answer, and what is wrong with it."""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from export_pipeline.errors import VendorUnavailable
from export_pipeline.validation import in_words
from export_pipeline.vendors.http import Answer, Call

Payload = TypeVar("Payload")


class Incoming(BaseModel):
    """Base of what vendors send: what we do not use is ignored, and null is the same as missing."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}


def read_answer(
    call: Call, answer: Answer, read: Callable[[bytes], Payload], address: str
) -> Payload:
    """Read a successful answer with `read`; `address` names what says where the vendor is.

    Raises:
        VendorUnavailable: it is not what the vendor documents.
    """
    try:
        return read(answer.body)
    except ValidationError as error:
        reason = in_words(error)
    raise undocumented(call, answer, reason, address)


def undocumented(call: Call, answer: Answer, reason: str, address: str) -> VendorUnavailable:
    """The error of a successful answer that is not what the vendor documents."""
    return call.error(
        VendorUnavailable,
        f"the answer is not what the vendor documents ({reason}); check {address}",
        status=answer.status,
        request_id=answer.request_id,
    )
