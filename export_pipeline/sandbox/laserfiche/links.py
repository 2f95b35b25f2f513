"""Download links: opaque, good for whoever has them, and dead after a while (FACTS 2.5)."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.files import File
from export_pipeline.sandbox.plain import BareError

_SECRET = b"laserfiche sandbox links"
SIGNATURE = "sig"


@dataclass
class Link:
    """What one link leads to."""

    file: File
    name: str
    ends: float
    cut: bool = False


class Links:
    """Gives out links below `base`, and knows those that come back."""

    def __init__(self, base: str, clock: Clock) -> None:
        self._base = base
        self._clock = clock
        self._links: dict[str, Link] = {}

    def give(self, file: File, name: str, seconds: float, *, cut: bool = False) -> str:
        """A link to the file that lives so long; `cut` breaks its first answer half way."""
        number = str(len(self._links) + 1)
        self._links[number] = Link(file, name, self._clock.now() + seconds, cut)
        path = f"/downloads/{number}/{quote(name, safe='')}"
        return f"{self._base}{path}?{SIGNATURE}={_signature(number)}"

    def get(self, number: str, query: Mapping[str, str], dead_status: int) -> Link:
        """The link, or the file host's refusal if it is unknown or ended."""
        link = self._links.get(number)
        given = query.get(SIGNATURE, "").encode()
        if link is None or not hmac.compare_digest(given, _signature(number).encode()):
            raise BareError(403, "The signature does not match.")
        if link.ends <= self._clock.now():
            raise BareError(dead_status, "The link has ended.")
        return link

    def end_all(self) -> None:
        """End every link now."""
        for link in self._links.values():
            link.ends = self._clock.now()


def _signature(number: str) -> str:
    return hmac.digest(_SECRET, number.encode(), "sha256").hex()
