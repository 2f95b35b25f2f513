"""Webhooks that their vendor signs: genuine by the vendor's own signature, not by our token."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request

SIGNATURES = "signatures"
"""What refused ones are counted as: polling brings what they would have told."""


class Signed(Protocol):
    """How one vendor proves that it sent a webhook."""

    @property
    def accounts(self) -> Collection[str]:
        """Accounts whose signing secrets are known."""

    @property
    def refused_status(self) -> int:
        """What a wrong signature is answered: some vendors turn a webhook off at some answers."""

    def is_genuine(self, account: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether a signature of the account is right for the body as it came."""

    def order_of(self, event: Mapping[str, Any]) -> str | None:
        """The order of ours that the webhook says has ended, None if it says no such thing."""

    def name_of(self, event: Mapping[str, Any]) -> str:
        """What it is about, in a few words: two of the same name are the same webhook."""

    def kept(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """What of it is kept: that alone which is read later, since the rest may hold secrets."""


def find_signed(signed: Mapping[str, Signed], request: Request) -> Signed:
    """The vendor that the request's path names.

    Raises:
        HTTPException: 404: that vendor does not sign, or the account has no secret here.
    """
    found = signed.get(request.path_params["vendor"])
    if found is None or request.path_params["account"] not in found.accounts:
        raise HTTPException(404, "No signing secret of this account is set.")
    return found


def require_signature(signed: Signed, request: Request, body: bytes, purpose: str) -> None:
    """Let only a body pass that the vendor signed.

    Args:
        signed: the vendor.
        request: is marked, which lets its path be logged and counted.
        body: as it came.
        purpose: what a genuine one is counted as.

    Raises:
        HTTPException: the signature is wrong, or there is none.
    """
    is_genuine = signed.is_genuine(request.path_params["account"], request.headers, body)
    request.state.purpose = purpose if is_genuine else SIGNATURES
    if not is_genuine:
        raise HTTPException(signed.refused_status, "The signature is wrong.")
