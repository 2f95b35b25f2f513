"""Signed URLs of GCS's version 4 (Cloud Storage: "Canonical requests", "Signatures").

Made here and not by google-cloud-storage, which takes no clock and asks IAM without a time limit.
The tests hold both against each other.
"""

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

MAX_URL_SECONDS = 7 * 24 * 3600
"""Longest life of a signed URL (Cloud Storage: "Canonical requests", X-Goog-Expires)."""
_ALGORITHM = "GOOG4-RSA-SHA256"
_PAYLOAD = "UNSIGNED-PAYLOAD"
_SAFE = "-_.~"


@dataclass(frozen=True)
class Signer:
    """Who signs URLs, and how.

    Args:
        account: address of the service account.
        sign: its RSA signature (PKCS #1 v1.5, SHA-256) of some bytes; may block.
        longest_seconds: how long a URL may live that it signs.
        step_seconds: URLs begin at multiples of it, so that the same one is signed again.
    """

    account: str
    sign: Callable[[bytes], bytes]
    longest_seconds: float = MAX_URL_SECONDS
    step_seconds: int = 1


def signed_url(
    signer: Signer, verb: str, url: str, headers: Mapping[str, str], *, seconds: float, now: float
) -> str:
    """Return `url` with a signature that holds for `seconds` from `now`, for exactly these headers.

    It may hold up to the signer's `step_seconds` longer.

    Args:
        url: its path as `encode_path` made it, without a query.
        headers: names in lower case; whoever uses the URL must send every one.
        seconds: at most the signer's `longest_seconds`.
        now: seconds since the epoch.
    """
    begins = now - now % signer.step_seconds
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(begins))
    scope = f"{stamp[:8]}/auto/storage/goog4_request"
    parts = urlsplit(url)
    # Without its port, as in Google's published test vectors.
    lines = sorted([("host", parts.hostname or ""), *headers.items()])
    names = ";".join(name for name, _ in lines)
    query = _encode_query(
        {
            "X-Goog-Algorithm": _ALGORITHM,
            "X-Goog-Credential": f"{signer.account}/{scope}",
            "X-Goog-Date": stamp,
            "X-Goog-Expires": str(math.ceil(seconds) + signer.step_seconds - 1),
            "X-Goog-SignedHeaders": names,
        }
    )
    canonical_headers = [f"{name}:{' '.join(value.split())}" for name, value in lines]
    canonical = "\n".join([verb, parts.path, query, *canonical_headers, "", names, _PAYLOAD])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signature = signer.sign(f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}".encode())
    return f"{url}?{query}&X-Goog-Signature={signature.hex()}"


def encode_path(name: str) -> str:
    """Encode an object's name as the signature wants it; slashes stay."""
    return quote(name, safe=_SAFE + "/")


def _encode_query(query: Mapping[str, str]) -> str:
    return urlencode(sorted(query.items()), safe=_SAFE, quote_via=quote)
