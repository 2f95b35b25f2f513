"""Laserfiche's two logins (FACTS 2.1): a user of a self-hosted server, or a cloud service app.

Tasks belong to the token that started them. So whoever starts one keeps that token with the order,
and a renewal here never ends it.
"""

from urllib.parse import quote, urlencode

from export_pipeline.ledger.quotas import Quota
from export_pipeline.vendors.channel import Channel
from export_pipeline.vendors.http import Answer, Call, send
from export_pipeline.vendors.laserfiche import VENDOR
from export_pipeline.vendors.laserfiche.answers import TokenAnswer, read_problem
from export_pipeline.vendors.laserfiche.options import LaserficheAccount
from export_pipeline.vendors.login import Granted, Login

SCOPE = "repository.Read"
"""FACTS 2.1: enough to list, search and export; tasks need none."""


class LaserficheLogin(Login):
    """The login of one account."""

    def __init__(self, account: LaserficheAccount, quota: Quota, channel: Channel) -> None:
        super().__init__(VENDOR, account.name, credential(account), quota, channel)
        self._of = account

    @property
    def secrets(self) -> tuple[str, ...]:
        """Password or service key; an assertion is struck out as any bearer token is."""
        given = (self._of.password, self._of.service_key)
        return tuple(secret.get_secret_value() for secret in given if secret is not None)

    @property
    def todo(self) -> str:
        """Which variables may be wrong: a server tells a wrong repository from the login on."""
        named, then = self._of.variable, "then run `export-pipeline check`"
        if self._of.access_key is not None:
            return f"correct {named('ACCESS_KEY')} and {named('SERVICE_KEY')}, {then}"
        return (
            f"correct {named('USERNAME')} and {named('PASSWORD')}, or {named('URL')} and"
            f" {named('REPOSITORY')} if nothing was found there, {then}"
        )

    async def send(self, call: Call) -> Answer:
        """Ask for a token."""
        url, headers, form = self._request()
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        content = urlencode(form, quote_via=quote).encode()
        http = self._channel.http()
        return await send(http, call, "POST", url, headers=headers, content=content)

    def read(self, body: bytes) -> Granted:
        """Read token and life."""
        told = TokenAnswer.model_validate_json(body)
        return Granted(told.access_token.get_secret_value(), told.expires_in)

    def read_refusal(self, body: bytes) -> str:
        """Read ProblemDetails."""
        return read_problem(body).text

    def _request(self) -> tuple[str, dict[str, str], dict[str, str]]:
        of = self._of
        if of.access_key is not None and of.service_key is not None:
            assertion = of.access_key.assertion(of.service_key, self._channel.clock())
            url = of.token_url or f"https://signin.{of.access_key.domain}/oauth/Token"
            form = {"grant_type": "client_credentials", "scope": SCOPE}
            return url, {"Authorization": f"Bearer {assertion}"}, form
        # SEEN-LIVE in FACTS 2.1: the version 1 path, also for version 2 of the API.
        url = f"{of.base_url}/v1/Repositories/{quote(of.repository, safe='')}/Token"
        password = of.password.get_secret_value() if of.password else ""
        form = {"grant_type": "password", "username": of.username or "", "password": password}
        return url, {}, form


def credential(account: LaserficheAccount) -> str:
    """Everything with which the account's tokens are got; it seals what the ledger keeps."""
    if account.access_key is not None and account.service_key is not None:
        kid = account.access_key.jwk.get_secret_value()["d"]
        return f"{account.access_key.client_id}\0{kid}\0{account.service_key.get_secret_value()}"
    password = account.password.get_secret_value() if account.password else ""
    return f"{account.base_url}\0{account.repository}\0{account.username}\0{password}"
