"""The two ways to export (seed 001)."""

from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.laserfiche.entrance import Asked
from export_pipeline.sandbox.laserfiche.errors import invalid
from export_pipeline.sandbox.laserfiche.laserfiche import Laserfiche
from export_pipeline.sandbox.laserfiche.orders import ExportOrder, read_order
from export_pipeline.sandbox.laserfiche.reasons import OF_EXPORTS
from export_pipeline.sandbox.laserfiche.telling import json_of, started


class ExportCalls:
    """Takes orders."""

    def __init__(self, vendor: Laserfiche) -> None:
        self._vendor = vendor

    async def at_once(self, asked: Asked) -> Response:
        """Export while the caller waits."""
        entry = self._vendor.entries.get(asked.params["entry"])
        order = await self._order(asked)
        link = await self._vendor.exporting.at_once(entry, order)
        context = f"{asked.context}/entries({entry.id})/Export"
        return JSONResponse({"@odata.context": context, "value": link})

    async def start(self, asked: Asked) -> Response:
        """Export as a task."""
        vendor = self._vendor
        entry = vendor.entries.get(asked.params["entry"])
        order = await self._order(asked)
        vendor.require_operation(asked.token)
        task = vendor.exporting.start(vendor.tasks, asked.token, entry, order)
        return started(asked, task, f"entries({entry.id})/ExportAsync")

    async def _order(self, asked: Asked) -> ExportOrder:
        pages = asked.request.query_params.get("pageRange")
        order = read_order(await json_of(asked.request), pages)
        is_wrong = order.reason is not None and order.reason not in OF_EXPORTS
        if is_wrong or (order.reason is None and self._vendor.options.audit_required):
            raise invalid("auditReasonId: an audit reason for exports is needed.")
        return order
