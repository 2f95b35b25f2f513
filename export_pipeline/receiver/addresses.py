"""Our own URLs and the tokens that go with them: made here, checked here, no I/O."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from urllib.parse import quote

from export_pipeline.ledger.inbox import CHECKS, ORDERS, SCANS
from export_pipeline.ledger.rows import Order
from export_pipeline.storage.store import UploadTarget

TOKEN_HEADER = "X-Export-Token"  # noqa: S105
"""The header in which tokens travel: vendors repeat URLs in their webhooks and logs."""
UPLOADS = "uploads"
"""Purpose of the token that lets its bearer write one artifact."""
STATUS_PLACEHOLDER = "{STATUS}"
"""Copyleaks puts the status word in its place (seed 000)."""
_DOMAIN = b"export_pipeline receiver token 1"
_LENGTH_BYTES = 8


class Addresses:
    """Where vendors reach the receiver.

    Args:
        base_url: public address of the receiver.
        secrets: keys from which tokens derive: the current one, then those still accepted.
    """

    def __init__(self, base_url: str, secrets: Sequence[str]) -> None:
        self._base_url = base_url.rstrip("/")
        self._secrets = tuple(secrets)

    def scan_webhook(self, vendor: str, account: str) -> UploadTarget:
        """Where a vendor posts a scan's own webhooks; the URL ends in `STATUS_PLACEHOLDER`."""
        path = f"{_path('hooks', vendor, account, SCANS)}/{STATUS_PLACEHOLDER}"
        return self._target("POST", path, SCANS, vendor, account)

    def scan_webhook_with_token(self, vendor: str, account: str) -> UploadTarget:
        """`scan_webhook` for whoever can set no header: the token stands in the URL.

        So the URL is a secret, to be set where the team submits scans: never log it.
        """
        token = _token(self._secrets[0], (SCANS, vendor, account)).decode("ascii")
        path = f"{_path('hooks', vendor, account, SCANS, token)}/{STATUS_PLACEHOLDER}"
        return UploadTarget("POST", self._base_url + path)

    def signed_webhook(self, vendor: str, account: str) -> str:
        """Where a vendor posts that signs its webhooks; nothing in it is secret."""
        return self._base_url + _path("hooks", vendor, account, "signed")

    def order_webhook(self, order: Order) -> UploadTarget:
        """Where a vendor posts that this order ended."""
        path = _path("hooks", order.vendor, order.account, ORDERS, order.id)
        return self._target("POST", path, ORDERS, order.vendor, order.account, order.id)

    def upload(self, order_id: str, artifact: str) -> UploadTarget:
        """Where a vendor writes this one artifact of the order.

        The token goes in a header and never in the URL: vendors echo upload URLs into their
        completion webhooks, and so into the inbox, where no authority may lie (DESIGN.md part
        4.6).
        """
        path = _path("uploads", order_id, *artifact.split("/"))
        return self._target("PUT", path, UPLOADS, order_id, artifact)

    def check_webhook(self, nonce: str) -> UploadTarget:
        """Where `check` posts to learn whether the public address reaches this inbox."""
        return self._target("POST", _path("hooks", CHECKS, nonce), CHECKS, nonce)

    def check_result(self, nonce: str) -> UploadTarget:
        """Where `check` asks whether its post arrived."""
        return self._target("GET", _path("inbox", CHECKS, nonce), CHECKS, nonce)

    def is_genuine(self, token: str | None, *what: str) -> bool:
        """Whether `token` was made here, by any of our secrets, for exactly `what`.

        Args:
            token: as received, None without one.
            what: the purpose and the path's parts, e.g. `UPLOADS, order_id, artifact`.
        """
        given = (token or "").encode("utf-8", "surrogatepass")
        # A list, so that the time does not tell which secret matched.
        matches = [hmac.compare_digest(given, _token(secret, what)) for secret in self._secrets]
        return any(matches)

    def _target(self, verb: str, path: str, *what: str) -> UploadTarget:
        token = _token(self._secrets[0], what).decode("ascii")
        return UploadTarget(verb, self._base_url + path, ((TOKEN_HEADER, token),))


def _path(*parts: str) -> str:
    return "".join(f"/{quote(part, safe='=')}" for part in parts)


def _token(secret: str, what: Sequence[str]) -> bytes:
    message = _DOMAIN + b"".join(_framed(part) for part in what)
    return urlsafe_b64encode(hmac.digest(secret.encode(), message, "sha256")).rstrip(b"=")


def _framed(part: str) -> bytes:
    raw = part.encode("utf-8", "surrogatepass")
    return len(raw).to_bytes(_LENGTH_BYTES) + raw
