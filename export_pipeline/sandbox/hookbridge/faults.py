"""The faults that calls can meet, and what each is answered with."""

from export_pipeline.sandbox.hookbridge.errors import EnvelopeError, too_many
from export_pipeline.sandbox.hookbridge.exports import TRAITS
from export_pipeline.sandbox.plain import BareError
from export_pipeline.sandbox.routing import ApiError

DROP = "drop"
"""The call does its work, and its answer is lost."""
CUT = "cut"
"""The file's connection breaks half way."""
DEAD = "dead"
"""The file's host takes the link for ended."""
CHANGED = "changed"
"""The file has another entity tag than it had."""
_OF_CALLS = ("401", "403", "429", "500", "503", "garbage", DROP)
KNOWN = {
    **dict.fromkeys(("list", "get", "download", "delete"), _OF_CALLS),
    "create": (*_OF_CALLS, *sorted(TRAITS)),
    "file": (CUT, DEAD, CHANGED, "429", "500", "503"),
}
"""The faults of each operation; a trait is the created export's."""


def answer(fault: str) -> ApiError | None:
    """The answer that such a fault gives at once, None if the call goes on first."""
    match fault:
        case "401":
            return EnvelopeError(401, "UNAUTHORIZED", "Invalid or missing API key")
        case "403":
            return EnvelopeError(403, "FORBIDDEN", "Not in this plan")
        case "429":
            return too_many(1)
        case "500" | "503":
            return BareError(int(fault), "Service unavailable")
        case "garbage":
            return BareError(502, "<html><body>Bad gateway</body></html>", "text/html")
    return None
