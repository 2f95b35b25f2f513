"""Download links as OpenStack Swift has them: a TempURL (FACTS 4.5)."""

import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.plain import BareError

_SECRET = b"cloudconvert sandbox links"
SIGNATURE, EXPIRES = "temp_url_sig", "temp_url_expires"


class Links:
    """Signs links below `base`, and judges those that come back."""

    def __init__(self, base: str, clock: Clock) -> None:
        self._base = base
        self._clock = clock

    def sign(self, task: str, parts: Sequence[str], seconds: float) -> str:
        """A link that lives so long to the task's file of that name, its folder before it."""
        path = _path(task, parts)
        expires = int(self._clock.now() + seconds)
        signature = _signature(path, expires)
        return f"{self._base}{path}?{SIGNATURE}={signature}&{EXPIRES}={expires}"

    def check(
        self, task: str, parts: Sequence[str], query: Mapping[str, str], dead_status: int
    ) -> None:
        """Let a live link pass; `dead_status` answers one that ended."""
        expires, given = query.get(EXPIRES, ""), query.get(SIGNATURE, "")
        signature = _signature(_path(task, parts), int(expires) if expires.isdigit() else 0)
        if not hmac.compare_digest(given.encode(), signature.encode()):
            raise dead_link(401)
        if self._clock.now() >= int(expires):
            raise dead_link(dead_status)


def dead_link(status: int) -> BareError:
    """Swift's word on a link that is not or no longer good."""
    text = "<html><h1>Unauthorized</h1><p>Temp URL invalid</p></html>"
    return BareError(status, text, "text/html")


def _path(task: str, parts: Sequence[str]) -> str:
    # A slash within a name must not look like a folder.
    return "/".join(["", task, *(quote(part, safe="") for part in parts)])


def _signature(path: str, expires: int) -> str:
    return hmac.digest(_SECRET, f"GET\n{expires}\n{path}".encode(), "sha1").hex()
