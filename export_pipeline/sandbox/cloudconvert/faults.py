"""The faults that calls, tasks, files and webhooks can meet, and what calls are answered."""

from export_pipeline.sandbox.cloudconvert.errors import (
    MessageError,
    credits_exceeded,
    forbidden,
    not_found,
    too_many,
    too_many_jobs,
    unauthorized,
)
from export_pipeline.sandbox.plain import BareError
from export_pipeline.sandbox.routing import ApiError

DROP = "drop"
"""The call does its work, and its answer is lost."""
SLOW = "slow"
"""The call is answered after `SLOW_SECONDS`; a task takes that much longer."""
SLOW_SECONDS = 120.0
NEVER_ENDS = "never_ends"
FAILS = "fails"
DEAD_LINKS = "dead_links"
"""An export/url gives links that have ended."""
TRUNCATED = "truncated"
"""A conversion's files are half of what their size says."""
LOST_ANSWER = "lost_answer"
"""The answer to an upload is lost, so that it is sent again."""
CUT, DEAD, CHANGED = "cut", "dead", "changed"
"""A file's connection breaks half way; its link has ended; its entity tag is another."""
LOST, LATE, TWICE, WRONG_SIGNATURE = "lost", "late", "twice", "wrong_signature"
LATE_SECONDS = 600.0
_OF_CALLS = ("401", "403", "404", "429", "500", "503", "504", "garbage", DROP, SLOW)
_OF_TASKS = (FAILS, NEVER_ENDS, SLOW)
KNOWN = {
    **dict.fromkeys(("get", "list", "wait", "delete", "cancel", "retry", "user"), _OF_CALLS),
    "create": (*_OF_CALLS, "credits", "too_many_jobs"),
    "import": _OF_TASKS,
    "convert": (*_OF_TASKS, TRUNCATED),
    "export": (*_OF_TASKS, DEAD_LINKS, LOST_ANSWER),
    "file": (CUT, DEAD, CHANGED, SLOW, "429", "500", "503"),
    "webhook": (LOST, LATE, TWICE, WRONG_SIGNATURE),
}
"""The faults of each operation; those of a webhook meet the next end of a job."""
_REFUSALS = {
    "401": unauthorized,
    "403": forbidden,
    "404": not_found,
    "429": lambda: too_many({"Retry-After": "1"}),
    "500": lambda: MessageError(500, "SERVER_ERROR", "Server Error"),
    "503": lambda: MessageError(503, "SERVICE_UNAVAILABLE", "Service Unavailable"),
    "504": lambda: BareError(504, "<html><body>Gateway time-out</body></html>", "text/html"),
    "garbage": lambda: BareError(502, "<html><body>Bad gateway</body></html>", "text/html"),
    "credits": credits_exceeded,
    "too_many_jobs": too_many_jobs,
}


def answer(fault: str) -> ApiError | None:
    """The answer that such a fault gives at once, None if the call goes on first."""
    refusal = _REFUSALS.get(fault)
    return None if refusal is None else refusal()
