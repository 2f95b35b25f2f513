"""Reading what vendors send: what is wrong with a payload, in words."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError

from export_pipeline.errors import VendorUnavailable
from export_pipeline.vendors.http import Answer, Call

PROBLEMS_SHOWN = 3

Payload = TypeVar("Payload")


def problems(error: ValidationError) -> str:
    """What is wrong with a payload, in words and without its values."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    texts = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'the whole'}:"
        f" {problem['msg'].removeprefix('Value error, ')}"
        for problem in found[:PROBLEMS_SHOWN]
    ]
    more = len(found) - len(texts)
    return "; ".join([*texts, *([f"and {more} more"] if more else [])])


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
        reason = problems(error)
    raise undocumented(call, answer, reason, address)


def undocumented(call: Call, answer: Answer, reason: str, address: str) -> VendorUnavailable:
    """The error of a successful answer that is not what the vendor documents."""
    return call.error(
        VendorUnavailable,
        f"the answer is not what the vendor documents ({reason}); check {address}",
        status=answer.status,
        request_id=answer.request_id,
    )
