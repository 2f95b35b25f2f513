"""The receiver's routes, and the one place where an error becomes a status."""

from http import HTTPStatus
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from export_pipeline.errors import AlreadyExists, StoreError, StoreFull, StoreUnavailable
from export_pipeline.ledger.database import Ledger
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.receiver.requests import ids_of
from export_pipeline.receiver.uploads import Uploads
from export_pipeline.receiver.webhooks import Webhooks
from export_pipeline.storage.store import Store

HEALTH_KEY = "health"
"""Looked up, never written: any answer shows that the store is there."""

log = structlog.get_logger(__name__)


def build(ledger: Ledger, store: Store, addresses: Addresses) -> Starlette:
    """Return the app; it opens nothing and closes nothing that it is given."""
    webhooks = Webhooks(ledger, addresses)
    uploads = Uploads(ledger, store, addresses)

    async def health(_request: Request) -> Response:
        return await _health(ledger, store)

    app = Starlette(
        routes=[
            Route("/hooks/{vendor}/{account}/scans/{status}", webhooks.scan, methods=["POST"]),
            Route("/hooks/{vendor}/{account}/orders/{order}", webhooks.order, methods=["POST"]),
            Route("/hooks/checks/{nonce}", webhooks.check, methods=["POST"]),
            Route("/inbox/checks/{nonce}", webhooks.check_result, methods=["GET"]),
            Route("/uploads/{order}/{artifact:path}", uploads.take, methods=["PUT", "POST"]),
            Route("/health", health, methods=["GET"]),
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
    return app


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
    told = log.info if isinstance(error, AlreadyExists) else log.error
    told("store refused", answer=status.value, reason=str(error), **ids_of(request))
    return PlainTextResponse(sentence, status)


async def _ledger_failed(request: Request, error: Exception) -> Response:
    # The error's own text repeats statements with their parameters: bodies, headers.
    log.error("ledger failed", error=type(error).__name__, **ids_of(request))
    return PlainTextResponse("The ledger cannot be written now.", 503)


_STORE_FAILED = (HTTPStatus.INTERNAL_SERVER_ERROR, "The store failed; our log says why.")
_STORE_ANSWERS = {
    AlreadyExists: (HTTPStatus.PRECONDITION_FAILED, "The artifact is there already; kept as is."),
    StoreFull: (HTTPStatus.INSUFFICIENT_STORAGE, "The store is full."),
    StoreUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "The store cannot be reached now."),
}
