"""The faults that calls can meet, and what each is answered with."""

from export_pipeline.sandbox.laserfiche.errors import ProblemError, too_many
from export_pipeline.sandbox.plain import BareError
from export_pipeline.sandbox.routing import ApiError

DROP = "drop"
"""The call does its work, and its answer is lost."""
CUT = "cut"
"""The file's connection breaks half way."""
FOREIGN = "foreign"
"""The next page is said to lie at another origin."""
_OF_CALLS = ("401", "403", "404", "408", "429", "500", "503", "garbage", DROP)
_OF_LISTINGS = (*_OF_CALLS, FOREIGN)
KNOWN = {
    **dict.fromkeys(("login", "entry", "export", "start", "tasks", "search"), _OF_CALLS),
    **dict.fromkeys(("children", "reasons", "results"), _OF_LISTINGS),
    "file": (CUT, "401", "403", "404", "429", "500", "503"),
}


def answer(fault: str) -> ApiError | None:
    """The answer that such a fault gives at once, None if the call goes on first."""
    if fault == "429":
        return too_many("Rate limit is reached.", 1)
    if fault == "garbage":
        return BareError(502, "<html><body>Bad gateway</body></html>", "text/html")
    return ProblemError(int(fault), "A fault that was planned.") if fault.isdigit() else None
