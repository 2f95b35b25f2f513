"""Copyleaks's API for one account: order an export, have a webhook sent again."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import ValidationError

from export_pipeline.errors import (
    OrderInvalid,
    OrderRefused,
    TurnMissed,
    VendorError,
)
from export_pipeline.ledger.quotas import Quota
from export_pipeline.vendors.channel import Channel, in_time
from export_pipeline.vendors.copyleaks import VENDOR
from export_pipeline.vendors.copyleaks.artifacts import KIND_NAMES
from export_pipeline.vendors.copyleaks.login import CopyleaksLogin
from export_pipeline.vendors.copyleaks.models import ID, ErrorFacts, read_error
from export_pipeline.vendors.copyleaks.options import CopyleaksAccount, CopyleaksOptions
from export_pipeline.vendors.copyleaks.requests import ExportRequest, export_body
from export_pipeline.vendors.http import Answer, Call
from export_pipeline.vendors.placement import Placement, Receipt

DELETE_PATH = "/v3.1/scans/delete"
_FIELD = re.compile(r"[A-Za-z]+")
_RESULT = re.compile(r"\bresults(\[\d+\]|/.+)", re.IGNORECASE | re.ASCII)
_KIND_OF_FIELD = {name.replace("_", ""): name for name in KIND_NAMES}


def export_quotas(options: CopyleaksOptions) -> tuple[Quota, Quota]:
    """What one export call uses (FACTS 1.8): exports a minute, requests a second."""
    return (
        Quota("exports per minute", options.exports_per_minute, 60),
        Quota("requests per second", options.requests_per_second, 1),
    )


class CopyleaksClient:
    """The calls of one account. Every error names the scan and keeps the vendor's request id."""

    def __init__(
        self, account: CopyleaksAccount, options: CopyleaksOptions, channel: Channel
    ) -> None:
        self.login = CopyleaksLogin(account, options.login_url, channel)
        self._account = account.name
        self._options = options
        self._channel = channel
        self._quotas = export_quotas(options)

    async def export(self, placement: Placement) -> Receipt:
        """Send one order; the quotas of the call are claimed by the caller (seed 000).

        Raises:
            VendorError: see `classify`; a refused order's `fields` are our artifact kinds,
                its `vendor_names` the ids of results.
            TurnMissed: nothing was sent.
        """
        scan, order = placement.scan.scan, placement.order.id
        call = Call(VENDOR, self._account, "the export", scan, _secrets(placement))
        path = f"/v3/downloads/{_segment(call, scan)}/export/{_segment(call, order)}"
        body = export_body(call, placement, self._options.max_retries)
        answer = await self._send(call, path, body, self._quotas, placement)
        return Receipt(request_id=answer.request_id)

    async def resend_webhook(self, scan: str) -> None:
        """Have the vendor send a finished scan's status webhook again (FACTS 1.6).

        Raises:
            VendorError: see `classify`.
        """
        call = Call(VENDOR, self._account, "the resend of the webhook", scan)
        path = f"/v3/scans/{_segment(call, scan)}/webhooks/resend"
        requests = self._quotas[1:]
        await self._channel.turn(call, requests)
        await self._send(call, path, None, requests)

    async def delete(self, scan: str) -> None:
        """Have the vendor delete a completed scan for good; none there is fine (FACTS 1.9).

        Raises:
            VendorError: see `classify`.
        """
        call = Call(VENDOR, self._account, "the deletion", scan)
        body = json.dumps({"scans": [{"id": scan}], "purge": True}).encode()
        requests = self._quotas[1:]
        await self._channel.turn(call, requests)
        await self._send(call, DELETE_PATH, body, requests, verb="PATCH")

    async def _send(
        self,
        call: Call,
        path: str,
        body: bytes | None,
        quotas: Sequence[Quota],
        placement: Placement | None = None,
        verb: str = "POST",
    ) -> Answer:
        work = self._send_with_token(call, path, body, quotas, placement, verb)
        return await in_time(call, work, "login and turn")

    async def _send_with_token(
        self,
        call: Call,
        path: str,
        body: bytes | None,
        quotas: Sequence[Quota],
        placement: Placement | None,
        verb: str,
    ) -> Answer:
        """Send with the account's token; a refused token is renewed once."""
        cached = await self.login.cached()
        token = cached or await self._fresh(call, quotas)
        if placement is not None:
            await placement.leaves()
            if cached and not placement.is_on_time():
                raise TurnMissed(f"{call.doing} was not sent: the turn claimed for it had passed")
        answer = await self._call(call, verb, token, path, body)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            token = await self._fresh(call, quotas, refused=token)
            answer = await self._call(call, verb, token, path, body)
        if not answer.is_success:
            ordered = body if path != DELETE_PATH else None
            raise self._failure(replace(call, secrets=(*call.secrets, token)), answer, ordered)
        return answer

    async def _fresh(self, call: Call, quotas: Sequence[Quota], refused: str | None = None) -> str:
        token = await self.login.renew(call.scan, refused=refused)
        # A login takes seconds: used after it, the turn claimed before would crowd later ones.
        await self._channel.turn(call, quotas)
        return token

    async def _call(
        self, call: Call, verb: str, token: str, path: str, body: bytes | None
    ) -> Answer:
        url = self._options.api_url + path
        return await self._channel.send(call, verb, url, bearer=token, body=body)

    def _failure(self, call: Call, answer: Answer, sent: bytes | None) -> VendorError:
        said = read_error(answer.body)
        error = self._channel.failure(call, answer, said.text)
        if isinstance(error, OrderRefused):
            error.fields = refused_kinds(said)
            error.vendor_names = refused_results(said, sent)
        return error


def refused_kinds(said: ErrorFacts) -> tuple[str, ...]:
    """Our artifact kinds that an error's details name, e.g. `results[3].id` or `pdfReport`."""
    roots = [_FIELD.search(detail.param) for detail in said.details]
    kinds = [_KIND_OF_FIELD.get(root.group().lower()) for root in roots if root]
    return tuple(dict.fromkeys(kind for kind in kinds if kind is not None))


def refused_results(said: ErrorFacts, sent: bytes | None) -> tuple[str, ...]:
    """Ids of the results that an error's details name, by place in what was sent or by id."""
    results = ExportRequest.model_validate_json(sent).results if sent else []
    known = {f"[{place}]": result.id for place, result in enumerate(results)}
    known |= {f"/{result.id}": result.id for result in results}
    matches = [_RESULT.search(detail.param) for detail in said.details]
    named = [known.get(match.group(1)) for match in matches if match]
    return tuple(dict.fromkeys(result_id for result_id in named if result_id is not None))


def _segment(call: Call, vendor_id: str) -> str:
    try:
        return quote(ID.validate_python(vendor_id), safe="")
    except ValidationError:
        pass
    raise call.error(
        OrderInvalid,
        "not sent, an id of Copyleaks has 3 to 36 of the characters that it documents, and"
        f" {vendor_id!r} has not: correct the scan's id where it was imported",
    )


def _secrets(placement: Placement) -> tuple[str, ...]:
    """All that carries authority in the body, also in the pieces that a vendor may quote."""
    targets = [placement.completion, *placement.targets.values()]
    headers = [value for target in targets for _, value in target.headers]
    urls = [piece for target in targets for piece in _pieces(target.url)]
    return tuple(dict.fromkeys([*urls, *headers]))


def _pieces(url: str) -> list[str]:
    parts = urlsplit(url)
    values = [value for _, value in parse_qsl(parts.query)]
    return [url, parts.path, parts.path.rpartition("/")[2], parts.query, *values]
