"""GCS's check of a signed URL (Cloud Storage: "Canonical requests", "Signatures").

Written from Google's pages and held against Google's own test vectors of V4 signatures.
"""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

LONGEST_SECONDS = 604_800
_ALGORITHM = "GOOG4-RSA-SHA256"
_SIGNATURE = "X-Goog-Signature"
_PAYLOAD = "x-goog-content-sha256"


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused, as the XML API tells it."""

    status: int
    code: str
    text: str


def judge(
    verb: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    *,
    now: datetime,
    keys: Callable[[str], list[rsa.RSAPublicKey]],
) -> Refusal | None:
    """Return why a request with a signed URL is refused, None if it is not.

    Args:
        path: as it was sent, percent-encoded.
        query: as it was sent.
        headers: names in lower case, values of one name joined by commas.
        keys: the public keys of an account.
    """
    given = dict(parse_qsl(query, keep_blank_values=True))
    if given.get("X-Goog-Algorithm") != _ALGORITHM:
        return Refusal(403, "AccessDenied", "Anonymous caller does not have access.")
    account, _, scope = given.get("X-Goog-Credential", "").partition("/")
    stamp = given.get("X-Goog-Date", "")
    if scope != f"{stamp[:8]}/auto/storage/goog4_request":
        return _malformed("X-Goog-Credential")
    return (
        _untimely(stamp, given.get("X-Goog-Expires", ""), now)
        or _unsigned(given.get("X-Goog-SignedHeaders", "").split(";"), headers)
        or _forged(verb, path, query, headers, given, keys(account))
    )


def _untimely(stamp: str, life: str, now: datetime) -> Refusal | None:
    try:
        begins = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return _malformed("X-Goog-Date")
    if not life.isdecimal() or not 0 < int(life) <= LONGEST_SECONDS:
        return _malformed("X-Goog-Expires")
    if now > begins + timedelta(seconds=int(life)):
        return Refusal(400, "ExpiredToken", "The provided token has expired.")
    if now < begins:
        return Refusal(403, "AccessDenied", "Request is not yet valid.")
    return None


def _unsigned(names: list[str], headers: Mapping[str, str]) -> Refusal | None:
    absent = {"host", *names} - headers.keys() | ({"host"} - set(names))
    ours = {name for name in headers if name.startswith(("x-goog-", "x-amz-"))}
    loose = ours - {*names, _PAYLOAD}
    for name in sorted(absent | loose):
        return _malformed(name)
    return None


def _forged(
    verb: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    given: Mapping[str, str],
    keys: list[rsa.RSAPublicKey],
) -> Refusal | None:
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(query, keep_blank_values=True)
        if name != _SIGNATURE
    )
    names = given["X-Goog-SignedHeaders"]
    # The vectors sign the host without its port.
    signed = {**headers, "host": headers["host"].partition(":")[0]}
    canonical = "\n".join(
        [
            verb,
            path,
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{' '.join(signed[name].split())}" for name in names.split(";")),
            "",
            names,
            headers.get(_PAYLOAD, "UNSIGNED-PAYLOAD"),
        ]
    )
    scope = given["X-Goog-Credential"].partition("/")[2]
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join([_ALGORITHM, given["X-Goog-Date"], scope, digest]).encode()
    for key in keys:
        with suppress(InvalidSignature, ValueError):
            signature = bytes.fromhex(given.get(_SIGNATURE, ""))
            key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
            return None
    return Refusal(403, "SignatureDoesNotMatch", "The request signature does not match.")


def _malformed(name: str) -> Refusal:
    return Refusal(400, "MalformedSecurityHeader", f"Your request has a malformed header: {name}")
