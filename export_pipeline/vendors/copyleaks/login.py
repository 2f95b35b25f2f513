"""Copyleaks's login (FACTS 1.1): an e-mail and a key for a token of two days."""

import json
from collections.abc import Callable

import httpx
from pydantic import ValidationError

from export_pipeline.errors import AuthenticationFailed, RateLimited, VendorUnavailable
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.quotas import Quota
from export_pipeline.settings import CopyleaksAccount
from export_pipeline.vendors.copyleaks.models import LoginAnswer, problems, read_error
from export_pipeline.vendors.http import Answer, Call, classify, failure, send
from export_pipeline.vendors.login import Granted, Login
from export_pipeline.vendors.pacing import Sleep

VENDOR = "copyleaks"
LOGINS_PER_15_MINUTES = 12
"""FACTS 1.1 and 1.8."""
LOGINS = Quota("logins per 15 minutes", LOGINS_PER_15_MINUTES, 900, burst=6)


class CopyleaksLogin(Login):
    """The login of one account."""

    def __init__(
        self,
        account: CopyleaksAccount,
        url: str,
        ledger: Ledger,
        http: Callable[[], httpx.AsyncClient],
        *,
        clock: Callable[[], float],
        sleep: Sleep,
    ) -> None:
        self._email = account.email
        self._key = account.key.get_secret_value()
        credential = f"{self._email}\0{self._key}"
        super().__init__(VENDOR, account.name, credential, LOGINS, ledger, sleep=sleep)
        self._url = url.rstrip("/") + "/v3/account/login/api"
        self._http = http
        self._clock = clock

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key."""
        return (self._key,)

    async def grant(self, call: Call) -> Granted:
        """Log in.

        Raises:
            AuthenticationFailed: the credentials are wrong.
            RateLimited: too many logins.
            VendorUnavailable: no answer, or not what the vendor documents.
        """
        content = json.dumps({"email": self._email, "key": self._key}).encode()
        headers = {"Content-Type": "application/json"}
        answer = await send(self._http(), call, "POST", self._url, headers=headers, content=content)
        told = self._read(call, answer)
        return Granted(told.access_token.get_secret_value(), told.life_seconds)

    def _read(self, call: Call, answer: Answer) -> LoginAnswer:
        if not answer.is_success:
            kind = classify(answer)
            # FACTS 1.1: the status of a failed login is not documented; any refusal is one.
            if kind not in (RateLimited, VendorUnavailable):
                kind = AuthenticationFailed
            said = read_error(answer.body).text
            raise failure(call, answer, said=said, now=self._clock(), kind=kind)
        try:
            return LoginAnswer.model_validate_json(answer.body)
        except ValidationError as error:
            reason = problems(error)
        raise call.error(
            VendorUnavailable,
            f"the answer is not what the vendor documents ({reason}); check the login address",
            status=answer.status,
            request_id=answer.request_id,
        )
