"""Copyleaks's login (FACTS 1.1): an e-mail and a key for a token of two days."""

import json

from export_pipeline.ledger.quotas import Quota
from export_pipeline.vendors.channel import Channel
from export_pipeline.vendors.copyleaks import VENDOR
from export_pipeline.vendors.copyleaks.models import LoginAnswer, read_error
from export_pipeline.vendors.copyleaks.options import CopyleaksAccount
from export_pipeline.vendors.http import Answer, Call, send
from export_pipeline.vendors.login import Granted, Login

LOGINS_PER_15_MINUTES = 12
"""FACTS 1.1 and 1.8."""
LOGINS = Quota("logins per 15 minutes", LOGINS_PER_15_MINUTES, 900, burst=6)


class CopyleaksLogin(Login):
    """The login of one account."""

    def __init__(self, account: CopyleaksAccount, url: str, channel: Channel) -> None:
        self._email = account.email
        self._key = account.key.get_secret_value()
        credential = f"{self._email}\0{self._key}"
        super().__init__(VENDOR, account.name, credential, LOGINS, channel)
        self._url = f"{url}/v3/account/login/api"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key."""
        return (self._key,)

    async def send(self, call: Call) -> Answer:
        """Ask for a token."""
        content = json.dumps({"email": self._email, "key": self._key}).encode()
        headers = {"Content-Type": "application/json"}
        http = self._channel.http()
        return await send(http, call, "POST", self._url, headers=headers, content=content)

    def read(self, body: bytes) -> Granted:
        """Read token and times."""
        told = LoginAnswer.model_validate_json(body)
        return Granted(told.access_token.get_secret_value(), told.life_seconds)

    def read_refusal(self, body: bytes) -> str:
        """Read any of the vendor's error bodies."""
        return read_error(body).text
