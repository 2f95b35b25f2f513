"""Calls about an account's webhooks; public integrations use these paths, FACTS 4.7 does not."""

from typing import Any

from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.cloudconvert.bodies import read_json
from export_pipeline.sandbox.cloudconvert.cloudconvert import CloudConvert
from export_pipeline.sandbox.cloudconvert.entrance import Asked
from export_pipeline.sandbox.cloudconvert.errors import InvalidData, not_found
from export_pipeline.sandbox.cloudconvert.webhooks import EVENTS, Webhook, account_of, signature


class WebhookCalls:
    """Handlers; every webhook has a secret of its own, the account's first the announced one."""

    def __init__(self, vendor: CloudConvert) -> None:
        self._vendor = vendor

    async def create(self, asked: Asked) -> Response:
        """Send events of the account to a URL."""
        body = await read_json(asked.request)
        webhook = self._made(asked.account, body)
        self._vendor.webhooks.add(webhook)
        return JSONResponse({"data": webhook.to_json()}, 201)

    async def list_all(self, asked: Asked) -> Response:
        """All of the account."""
        found = self._vendor.webhooks.of(asked.account)
        return JSONResponse({"data": [one.to_json() for one in found]})

    async def delete(self, asked: Asked) -> Response:
        """Send no more to one."""
        found = self._vendor.webhooks.of(asked.account)
        named = [one for one in found if one.id == asked.params["id"]]
        if not named:
            raise not_found()
        self._vendor.webhooks.remove(named[0])
        return Response(status_code=204)

    def _made(self, account: int, body: dict[str, Any]) -> Webhook:
        url, events = body.get("url"), body.get("events")
        errors = {}
        if not isinstance(url, str) or not url:
            errors["url"] = ["The url field is required."]
        if not isinstance(events, list) or not events or any(one not in EVENTS for one in events):
            errors["events"] = ["The selected events is invalid."]
        if errors:
            raise InvalidData(errors)
        vendor, webhook_id = self._vendor, self._vendor.shelf.new_id()
        secret = account_of(vendor.options, account).webhook_secret
        if vendor.webhooks.of(account):
            secret = signature(webhook_id.encode(), secret)
        return Webhook(webhook_id, account, str(url), tuple(events or ()), secret)
