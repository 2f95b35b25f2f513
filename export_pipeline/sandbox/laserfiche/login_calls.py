"""The two ways to log in (FACTS 2.1)."""

from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.laserfiche.errors import not_found
from export_pipeline.sandbox.laserfiche.faults import answer
from export_pipeline.sandbox.laserfiche.laserfiche import Laserfiche
from export_pipeline.sandbox.laserfiche.telling import require_type
from export_pipeline.sandbox.media_types import FORM


class LoginCalls:
    """Gives out tokens."""

    def __init__(self, vendor: Laserfiche) -> None:
        self._vendor = vendor

    async def self_hosted(self, request: Request, params: dict[str, str]) -> Response:
        """As a user of a server; the path's version is 1."""
        form = await self._form(request)
        if params["repository"] != self._vendor.options.repository:
            raise not_found("Repository is not found.")
        return self._logged_in(self._vendor.accounts.by_password(form))

    async def cloud(self, request: Request, _: dict[str, str]) -> Response:
        """As a service app."""
        form = await self._form(request)
        authorization = request.headers.get("Authorization")
        return self._logged_in(self._vendor.accounts.by_assertion(form, authorization))

    async def _form(self, request: Request) -> dict[str, str]:
        self._vendor.stats.calls["login"] += 1
        if refusal := answer(self._vendor.faults.take("login")):
            raise refusal
        require_type(request, FORM)
        return dict(parse_qsl((await request.body()).decode(errors="replace")))

    def _logged_in(self, told: dict[str, Any]) -> Response:
        self._vendor.stats.logins += 1
        return JSONResponse(told)
