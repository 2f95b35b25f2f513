"""Webhooks: kept as they came, and acted on later by whoever reads the inbox."""

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from export_pipeline.ledger import inbox
from export_pipeline.ledger.database import Ledger
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.receiver.requests import body_of, require_token

MAX_WEBHOOK_BYTES = 32 * 1024 * 1024
"""No vendor documents a limit; far above what any has reason to send, and held in memory."""
WEBHOOK_SECONDS = 60.0
"""Copyleaks waits 70 seconds for the answer (FACTS 1.6)."""
MAX_STATUS_CHARACTERS = 64
KEPT_HEADERS = frozenset(
    ["content-type", "user-agent", "x-request-id", "x-correlation-id", "traceparent"]
)
"""An allow-list: whatever else a vendor sends may be a secret."""

log = structlog.get_logger(__name__)


class Webhooks:
    """The endpoints that write to the inbox, and the one by which `check` reads it."""

    def __init__(self, ledger: Ledger, addresses: Addresses) -> None:
        self._ledger = ledger
        self._addresses = addresses

    async def scan(self, request: Request) -> Response:
        """Take a scan's own webhook."""
        vendor, account, status = (request.path_params[n] for n in ("vendor", "account", "status"))
        require_token(request, self._addresses, inbox.SCANS, vendor, account)
        if len(status) > MAX_STATUS_CHARACTERS or not status.isprintable():
            raise HTTPException(404, "This is no status of a scan.")
        return await self._keep(request, vendor, account, inbox.SCANS, status)

    async def order(self, request: Request) -> Response:
        """Take the webhook that ends an order, also of an order that the ledger does not have."""
        vendor, account, order = (request.path_params[n] for n in ("vendor", "account", "order"))
        require_token(request, self._addresses, inbox.ORDERS, vendor, account, order)
        return await self._keep(request, vendor, account, inbox.ORDERS, order)

    async def check(self, request: Request) -> Response:
        """Take a post of `check`."""
        nonce = request.path_params["nonce"]
        require_token(request, self._addresses, inbox.CHECKS, nonce)
        return await self._keep(request, "", "", inbox.CHECKS, nonce)

    async def check_result(self, request: Request) -> Response:
        """Tell `check` when its post came in, 404 if it did not."""
        nonce = request.path_params["nonce"]
        require_token(request, self._addresses, inbox.CHECKS, nonce)
        letters = await self._ledger.look(inbox.by_subject, inbox.CHECKS, nonce)
        if not letters:
            raise HTTPException(404, "No post of this check is in the inbox.")
        return JSONResponse({"received_at": letters[-1].received_at})

    async def _keep(
        self, request: Request, vendor: str, account: str, topic: str, subject: str
    ) -> Response:
        body = body_of(request, limit_bytes=MAX_WEBHOOK_BYTES, seconds=WEBHOOK_SECONDS)
        letter = await self._ledger.apply(
            inbox.receive,
            vendor=vendor,
            account=account,
            topic=topic,
            subject=subject,
            headers={n: v for n, v in request.headers.items() if n in KEPT_HEADERS},
            body=b"".join([chunk async for chunk in body]),
        )
        log.debug(
            "webhook kept",
            letter=letter,
            vendor=vendor,
            account=account,
            topic=topic,
            subject=subject,
        )
        return Response(status_code=200)
