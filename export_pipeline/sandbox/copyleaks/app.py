"""The HTTP API of Copyleaks."""

import json
import math
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.background import Background
from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.copyleaks.accounts import Accounts
from export_pipeline.sandbox.copyleaks.deletion import read_deletion
from export_pipeline.sandbox.copyleaks.delivery import Delivery
from export_pipeline.sandbox.copyleaks.errors import (
    EnvelopeError,
    ProblemError,
    invalid,
    too_many,
)
from export_pipeline.sandbox.copyleaks.options import CopyleaksOptions
from export_pipeline.sandbox.copyleaks.orders import ExportOrder, check_id, read_order
from export_pipeline.sandbox.copyleaks.scans import Scan, Scans
from export_pipeline.sandbox.copyleaks.stats import AcceptedOrder, Stats
from export_pipeline.sandbox.copyleaks.submission import read_submission
from export_pipeline.sandbox.faults import Faults
from export_pipeline.sandbox.limits import Limit, SlidingWindows
from export_pipeline.sandbox.media_types import JSON, is_called
from export_pipeline.sandbox.plain import BareError
from export_pipeline.sandbox.routing import ApiError, DropConnectionError, Handler

DROP = "drop"
FAULTS = ("429", "500", "503", "garbage", DROP)


class Copyleaks:
    """State and handlers of the vendor; lives in one event loop, `close` ends its work."""

    def __init__(self, options: CopyleaksOptions, clock: Clock) -> None:
        self.options = options
        self.clock = clock
        self.stats = Stats()
        self.windows = SlidingWindows(clock)
        self.accounts = Accounts(clock, options.accounts)
        self.scans = Scans(options.accounts[0].email)
        self.delivery = Delivery(clock, lambda: self.options, self.stats)
        self.background = Background()
        self.faults = Faults({"exports": FAULTS})

    async def close(self) -> None:
        """End all deliveries."""
        await self.background.stop()
        await self.delivery.close()

    def routes(self) -> dict[str, Handler]:
        """The vendor's paths, below its base URL."""
        submit = {
            f"PUT /v3/scans/submit/{kind}/{{scan}}": self.submit
            for kind in ("file", "file/ocr", "ocr", "url")
        }
        return {
            **submit,
            "POST /v3/account/login/api": self.login,
            "POST /v3/downloads/{scan}/export/{export}": self.export,
            "POST /v3/scans/{scan}/webhooks/resend": self.resend,
            "PATCH /v3.1/scans/delete": self.delete,
        }

    async def login(self, request: Request, _: dict[str, str]) -> Response:
        """FACTS 1.1."""
        body = await _json(request)
        key, email = (body.get("key"), body.get("email")) if isinstance(body, dict) else ("", "")
        pace = self.options.limits
        logins = Limit("logins_per_15_minutes", pace.logins_per_15_minutes, 900)
        self._spend(str(email or self.options.accounts[0].email), [logins])
        if not isinstance(key, str) or not key:
            raise invalid([("key", "'key' is required.")], missing=True)
        if email is not None and not isinstance(email, str):
            raise invalid([("email", "'email' must be a string.")])
        answer = self.accounts.login(email, key)
        self.stats.logins += 1
        return JSONResponse(answer)

    async def export(self, request: Request, params: dict[str, str]) -> Response:
        """Seed 000 and FACTS 1.4."""
        account = self._enter(request, is_export=True)
        fault = self.faults.take("exports")
        if fault not in ("", DROP):
            raise self._fault(fault)
        try:
            scan, order = await self._read_export(request, account, params)
            self._accept(account, scan, params["export"], order)
        except ApiError:
            self.stats.exports_refused += 1
            raise
        if fault == DROP:
            raise DropConnectionError
        return JSONResponse({}) if self.options.success == "object" else Response(status_code=204)

    async def resend(self, request: Request, params: dict[str, str]) -> Response:
        """Send the status webhook of a finished scan again (FACTS 1.6)."""
        scan = self.scans.get(self._enter(request), params["scan"], self.clock.now())
        if not scan.finished:
            raise _unfinished()
        self.background.start(self.delivery.send_completed(scan))
        return JSONResponse({}, 202)

    async def submit(self, request: Request, params: dict[str, str]) -> Response:
        """Make a scan that completes after the vendor's work (FACTS 1.2)."""
        account = self._enter(request)
        check_id("scanId", params["scan"])
        spec = read_submission(account, params["scan"], await _json(request))
        if self.scans.holds(account, params["scan"]):
            message = "A scan with this id exists."
            raise EnvelopeError(409, "invalid_request_error", "conflict", message)
        scan = Scan(spec, self.clock.now(), finished=False)
        self.scans.add(scan)
        self.background.start(self._scan(scan))
        return JSONResponse({}, 201)

    async def delete(self, request: Request, _: dict[str, str]) -> Response:
        """Delete scans (FACTS 1.9); the completion call has no documented body."""
        account = self._enter(request)
        deletion = read_deletion(await _json(request))
        for scan_id in deletion.scans:
            self.scans.remove(account, scan_id)
        if deletion.webhook is not None:
            call = self.delivery.webhook(deletion.webhook, deletion.headers, None)
            self.background.start(call)
        return JSONResponse({}, 202)

    def _enter(self, request: Request, *, is_export: bool = False) -> str:
        """The account of the request's token, its limits spent."""
        account = self.accounts.of_token(request.headers.get("Authorization"))
        pace = self.options.limits
        limits = [Limit("requests_per_second", pace.requests_per_second, 1)]
        if is_export:
            limits.append(Limit("exports_per_minute", pace.exports_per_minute, 60))
        self._spend(account, limits)
        return account

    def _spend(self, account: str, limits: list[Limit]) -> None:
        wait = self.windows.take(account, limits)
        if wait is not None:
            raise self._limited(wait)

    def _limited(self, wait: float) -> EnvelopeError:
        return too_many(math.ceil(wait) if self.options.retry_after else None)

    def _fault(self, fault: str) -> EnvelopeError | BareError:
        if fault == "429":
            return self._limited(1)
        if fault == "garbage":
            return BareError(502, "<html><body>Bad gateway</body></html>", "text/html")
        if fault == "503":
            return BareError(503, "Under maintenance.")
        return BareError(500, "An error has occurred.")

    async def _read_export(
        self, request: Request, account: str, params: dict[str, str]
    ) -> tuple[Scan, ExportOrder]:
        check_id("scanId", params["scan"])
        check_id("exportId", params["export"])
        order = read_order(await _json(request))
        scan = self.scans.get(account, params["scan"], self.clock.now())
        if not scan.finished:
            raise _unfinished()
        absent = scan.absent(target.artifact for target in order.targets)
        if absent and self.options.absent == "refuse":
            raise invalid([(name, f"The scan has no '{name}' to export.") for name in absent])
        return scan, order

    def _accept(self, account: str, scan: Scan, export: str, order: ExportOrder) -> None:
        repeat = export in scan.exports
        if repeat and self.options.reuse == "conflict":
            message = "An export with this id exists."
            raise EnvelopeError(409, "invalid_request_error", "conflict", message)
        artifacts = [target.artifact for target in order.targets]
        accepted = AcceptedOrder(account, scan.spec.id, export, artifacts, repeat)
        scan.exports.add(export)
        self.stats.exports_accepted += 1
        self.stats.orders.append(accepted)
        if not repeat or self.options.reuse == "redeliver":
            self.background.start(self.delivery.export(scan, order, scan.order(artifacts)))

    async def _scan(self, scan: Scan) -> None:
        await self.clock.sleep(self.options.limits.work_seconds)
        scan.finished = True
        await self.delivery.completed(scan)


async def _json(request: Request) -> Any:
    if not is_called(request, JSON):
        raise ProblemError(415)
    try:
        return json.loads(await request.body())
    except ValueError:
        raise BareError(400, "The request body is not valid JSON.") from None


def _unfinished() -> EnvelopeError:
    return invalid([("scanId", "The scan is not completed yet.")])
