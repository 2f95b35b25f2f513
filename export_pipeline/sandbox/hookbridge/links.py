"""Presigned links to the files, as S3 has them: a signature over path and query, and an end."""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.hookbridge.errors import store_error

_SECRET = b"hookbridge sandbox links"
SIGNATURE = "X-Amz-Signature"


class Links:
    """Signs links below `base`, and judges those that come back."""

    def __init__(self, base: str, clock: Clock) -> None:
        self._base = base
        self._clock = clock

    def sign(self, path: str, seconds: float) -> str:
        """A link to `path` that lives so long."""
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"AKIASANDBOX/{now:%Y%m%d}/us-east-1/s3/aws4_request",
            "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}",
            "X-Amz-Expires": str(int(seconds)),
            "X-Amz-SignedHeaders": "host",
        }
        query[SIGNATURE] = _signature(path, query)
        return f"{self._base}{path}?{urlencode(query)}"

    def check(self, path: str, query: Mapping[str, str]) -> None:
        """Let a live link pass; anything else is S3's 403 (FACTS 3.4)."""
        signed = {name: value for name, value in query.items() if name != SIGNATURE}
        given = query.get(SIGNATURE, "")
        if not hmac.compare_digest(given.encode(), _signature(path, signed).encode()):
            raise store_error(403, "SignatureDoesNotMatch", "The signature does not match")
        began = datetime.strptime(signed["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if self._clock.now() >= began.timestamp() + float(signed["X-Amz-Expires"]):
            raise dead_link()


def dead_link() -> Exception:
    """S3's word on a link that ended."""
    return store_error(403, "AccessDenied", "Request has expired")


def _signature(path: str, query: Mapping[str, str]) -> str:
    return hmac.digest(_SECRET, f"{path}?{urlencode(query)}".encode(), "sha256").hex()
