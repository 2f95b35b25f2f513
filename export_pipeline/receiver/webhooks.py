"""Webhooks: kept, and acted on later by whoever reads the inbox."""

import json
import re
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from export_pipeline.ledger import inbox
from export_pipeline.ledger.database import Ledger
from export_pipeline.logs import get_logger
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.receiver.forgotten import Forgotten, receive
from export_pipeline.receiver.requests import body_of, require_token
from export_pipeline.receiver.signatures import Signed, find_signed, require_signature

MAX_WEBHOOK_BYTES = 32 * 1024 * 1024
"""No vendor documents a limit; far above what any has reason to send, and held in memory."""
WEBHOOK_SECONDS = 60.0
"""Copyleaks waits 70 seconds for the answer (FACTS 1.6)."""
IDLE_SECONDS = 20.0
MAX_STATUS_CHARACTERS = 64
MAX_SUBJECT_CHARACTERS = 200
KEPT_HEADERS = frozenset(
    ["content-type", "user-agent", "x-request-id", "x-correlation-id", "traceparent"]
)
"""An allow-list: whatever else a vendor sends may be a secret."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_QUERY = re.compile("[?#].*")
_USER = re.compile("://[^/]*@")

log = get_logger(__name__)


class Webhooks:
    """The endpoints that write to the inbox, and the one by which `check` reads it."""

    def __init__(
        self,
        ledger: Ledger,
        addresses: Addresses,
        signed: Mapping[str, Signed],
        forgotten: Forgotten,
    ) -> None:
        self._ledger = ledger
        self._addresses = addresses
        self._signed = signed
        self._forgotten = forgotten

    async def scan(self, request: Request) -> Response:
        """Take a scan's own webhook, its token in the header or in the path."""
        vendor, account, status = (request.path_params[n] for n in ("vendor", "account", "status"))
        token = request.path_params.get("token")
        require_token(request, self._addresses, inbox.SCANS, vendor, account, token=token)
        if len(status) > MAX_STATUS_CHARACTERS or not status.isprintable():
            raise HTTPException(404, "This is no status of a scan.")
        body = await _whole_body(request)
        _read_object(body)
        return await self._keep(request, vendor, account, inbox.SCANS, status, body)

    async def signed(self, request: Request) -> Response:
        """Take a webhook that its vendor signs, once; kept is what is read of it, no signed URL.

        A repeat is answered like the first: without a time in it, nobody can tell who repeats it.
        """
        vendor, account = request.path_params["vendor"], request.path_params["account"]
        signer = find_signed(self._signed, request)
        body = await _whole_body(request)
        require_signature(signer, request, body, inbox.SCANS)
        event = _read_object(body)
        order = signer.order_of(event)
        topic = inbox.SCANS if order is None else inbox.ORDERS
        subject = order or signer.name_of(event)[:MAX_SUBJECT_CHARACTERS]
        if await self._ledger.look(inbox.is_kept, vendor, account, topic, subject):
            return Response(status_code=200)
        kept = without_queries(signer.kept(event))
        return await self._keep(request, vendor, account, topic, subject, kept)

    async def order(self, request: Request) -> Response:
        """Take the webhook that ends an order, also of an order that the ledger does not have.

        It is kept without what gives URLs authority: vendors echo our signed upload URLs.
        """
        vendor, account, order = (request.path_params[n] for n in ("vendor", "account", "order"))
        require_token(request, self._addresses, inbox.ORDERS, vendor, account, order)
        body = without_queries(_read_object(await _whole_body(request)))
        return await self._keep(request, vendor, account, inbox.ORDERS, order, body)

    async def check(self, request: Request) -> Response:
        """Take a post of `check`, whose body says nothing."""
        nonce = request.path_params["nonce"]
        require_token(request, self._addresses, inbox.CHECKS, nonce)
        body = await _whole_body(request)
        return await self._keep(request, "", "", inbox.CHECKS, nonce, body)

    async def check_result(self, request: Request) -> Response:
        """Tell `check` when its post came in, 404 if it did not."""
        nonce = request.path_params["nonce"]
        require_token(request, self._addresses, inbox.CHECKS, nonce)
        letters = await self._ledger.look(inbox.by_subject, inbox.CHECKS, nonce)
        if not letters:
            raise HTTPException(404, "No post of this check is in the inbox.")
        return JSONResponse({"received_at": letters[-1].received_at})

    async def _keep(
        self,
        request: Request,
        vendor: str,
        account: str,
        topic: str,
        subject: str,
        body: bytes,
    ) -> Response:
        letter = await self._ledger.apply(
            receive,
            self._forgotten.digest(vendor, account, topic, subject, body),
            vendor=vendor,
            account=account,
            topic=topic,
            subject=subject,
            headers={n: v for n, v in request.headers.items() if n in KEPT_HEADERS},
            body=body,
        )
        if letter is None:
            request.state.forgotten = True  # counted
            log.info("webhook of a forgotten scan not kept", vendor=vendor, account=account)
            return Response(status_code=200)
        log.debug(
            "webhook kept",
            letter=letter,
            vendor=vendor,
            account=account,
            topic=topic,
            subject=subject,
        )
        return Response(status_code=200)


async def _whole_body(request: Request) -> bytes:
    chunks = body_of(
        request,
        limit_bytes=MAX_WEBHOOK_BYTES,
        seconds=WEBHOOK_SECONDS,
        idle_seconds=IDLE_SECONDS,
    )
    return b"".join([chunk async for chunk in chunks])


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "The body is not JSON.") from None
    if not isinstance(content, dict):
        raise HTTPException(400, "The body is JSON, but not an object.")
    return content


def without_queries(content: dict[str, Any]) -> bytes:
    """Return the object as JSON, its URLs cut to scheme, host and path: no signature remains.

    In each string all that follows a URL's `?` or `#` goes, so that no way to quote one is missed.
    """
    return _STRING.sub(_without_query, json.dumps(content)).encode()


def _without_query(string: re.Match[str]) -> str:
    before, mark, url = string[0][1:-1].partition("://")
    if not mark:
        return string[0]
    return f'"{before}{_USER.sub("://", mark + _QUERY.sub("", url))}"'
