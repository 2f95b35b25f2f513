"""The receiver's routes, and the one place where an error becomes a status."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from export_pipeline.errors import StoreError, StoreFull, StoreUnavailable
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.inbox import count_unhandled
from export_pipeline.ledger.summary import count_open_orders
from export_pipeline.logs import get_logger
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.receiver.forgotten import Forgotten
from export_pipeline.receiver.metrics import CONTENT_TYPE as METRICS_TYPE
from export_pipeline.receiver.metrics import Measured, Metrics
from export_pipeline.receiver.requests import ids_of
from export_pipeline.receiver.signatures import Signed
from export_pipeline.receiver.uploads import Uploads
from export_pipeline.receiver.webhooks import Webhooks
from export_pipeline.storage.store import Store

HEALTH_KEY = "health"
"""Looked up, never written: any answer shows that the store is there."""

log = get_logger(__name__)


def build(
    ledger: Ledger,
    store: Store,
    addresses: Addresses,
    signed: Mapping[str, Signed] = MappingProxyType({}),
    forgotten: Forgotten | None = None,
) -> ASGIApp:
    """Return the app; it opens nothing and closes nothing that it is given.

    Args:
        ledger: where everything is noted.
        store: where uploads go.
        addresses: which tokens are ours.
        signed: the vendors, by name, that sign their webhooks themselves.
        forgotten: which webhooks not to keep; None: all are kept.
    """
    webhooks = Webhooks(ledger, addresses, signed, forgotten or Forgotten(ledger, None, {}))
    uploads = Uploads(ledger, store, addresses)
    metrics = Metrics()

    async def health(_request: Request) -> Response:
        return await _health(ledger, store)

    async def told(_request: Request) -> Response:
        return Response(await _told(ledger, metrics), media_type=METRICS_TYPE)

    app = Starlette(
        routes=[
            Route("/hooks/{vendor}/{account}/scans/{status}", webhooks.scan, methods=["POST"]),
            Route(
                "/hooks/{vendor}/{account}/scans/{token}/{status}",
                webhooks.scan,
                methods=["POST"],
            ),
            Route("/hooks/{vendor}/{account}/signed", webhooks.signed, methods=["POST"]),
            Route("/hooks/{vendor}/{account}/orders/{order}", webhooks.order, methods=["POST"]),
            Route("/hooks/checks/{nonce}", webhooks.check, methods=["POST"]),
            Route("/inbox/checks/{nonce}", webhooks.check_result, methods=["GET"]),
            Route("/uploads/{order}/{artifact:path}", uploads.take, methods=["PUT", "POST"]),
            Route("/healthz", health, methods=["GET"]),
            Route("/metrics", told, methods=["GET"]),
        ],
        exception_handlers={
            HTTPException: _refused,
            ClientDisconnect: _cut_short,
            StoreError: _store_failed,
            SQLAlchemyError: _ledger_failed,
        },
    )
    # A redirect would have the vendor repeat its body and token elsewhere.
    app.router.redirect_slashes = False
    return Measured(app, metrics)


async def _told(ledger: Ledger, metrics: Metrics) -> str:
    unhandled = await ledger.look(count_unhandled)
    open_orders = await ledger.look(count_open_orders)
    return metrics.render(
        {
            "inbox_unhandled": [
                ((("vendor", vendor), ("topic", topic)), count)
                for (vendor, topic), count in unhandled.items()
            ],
            "open_orders": [((("state", state),), n) for state, n in open_orders.items()],
        }
    )


async def _health(ledger: Ledger, store: Store) -> Response:
    await ledger.look(lambda tx: tx.now)
    await store.stat(HEALTH_KEY)
    return JSONResponse({"ledger": "ok", "store": "ok"})


async def _refused(request: Request, error: Any) -> Response:
    log.info("refused", answer=error.status_code, reason=error.detail, **ids_of(request))
    return PlainTextResponse(error.detail, error.status_code, error.headers)


async def _cut_short(request: Request, _error: Exception) -> Response:
    log.info("cut short by the sender", **ids_of(request))
    return Response(status_code=400)


async def _store_failed(request: Request, error: Any) -> Response:
    status, sentence = _STORE_ANSWERS.get(type(error), _STORE_FAILED)
    log.error("store failed", answer=status.value, reason=str(error), **ids_of(request))
    return PlainTextResponse(sentence, status)


async def _ledger_failed(request: Request, error: Exception) -> Response:
    # The error's own text repeats statements with their parameters: bodies, headers.
    log.error("ledger failed", error=type(error).__name__, **ids_of(request))
    return PlainTextResponse("The ledger cannot be written now.", 503)


_STORE_FAILED = (HTTPStatus.INTERNAL_SERVER_ERROR, "The store failed; our log says why.")
_STORE_ANSWERS = {
    StoreFull: (HTTPStatus.INSUFFICIENT_STORAGE, "The store is full."),
    StoreUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "The store cannot be reached now."),
}
