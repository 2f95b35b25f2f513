"""One login token of an account, shared by all tasks and processes through the ledger."""

import json
from collections.abc import Callable
from secrets import token_hex

import httpx
from pydantic import ValidationError

from export_pipeline.errors import AuthenticationFailed, RateLimited, VendorUnavailable
from export_pipeline.ledger import leases, quotas, tokens
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.quotas import Quota
from export_pipeline.settings import CopyleaksAccount
from export_pipeline.vendors.copyleaks.models import LoginAnswer, problems, read_error
from export_pipeline.vendors.http import Answer, Call, classify, failure, send
from export_pipeline.vendors.pacing import Sleep, wait_turn

VENDOR = "copyleaks"
LOGINS_PER_15_MINUTES = 12
"""FACTS 1.1 and 1.8."""
LOGINS = Quota("logins per 15 minutes", LOGINS_PER_15_MINUTES, 900, burst=6)
SPARE_SECONDS = 300.0
"""A token is renewed this long before its end, as the official SDKs do (FACTS 1.1)."""
TURN_SECONDS = 30.0
"""The longest that a login waits for its turn within the limit."""
LEASE_SECONDS = 120.0
"""How long one login may take: its turn and one call, with room to write the token down."""
POLL_SECONDS = 0.25
POLLS = int((LEASE_SECONDS + TURN_SECONDS) / POLL_SECONDS)
"""Waits past the end of a dead process's lease, so that the login is then taken over."""
CHECK_AGAIN = "run `export-pipeline check` again later"


class Login:
    """Gives the account's token; whoever finds none logs in, all others wait for that one."""

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
        self._account = account
        self._url = url.rstrip("/") + "/v3/account/login/api"
        self._ledger = ledger
        self._http = http
        self._clock = clock
        self._sleep = sleep

    async def cached(self) -> str | None:
        """The token that lives a while yet, None if somebody has to log in."""
        return await self._ledger.look(self._load)

    async def held_until(self) -> float | None:
        """Until when the login limit or a pause allows no login, None if one may be tried now."""
        return await self._ledger.look(self._held_until)

    async def renew(
        self, scan: str | None = None, *, refused: str | None = None, anew: bool = False
    ) -> str:
        """Log in, or wait for whoever is at it; `scan` is what errors name.

        Args:
            scan: the scan for which the token is wanted.
            refused: a token that the vendor no longer takes; any other one is as good as new.
            anew: log in whatever is cached, which stays if that fails: a person tries the key.

        Raises:
            AuthenticationFailed: the credentials are wrong.
            RateLimited: too many logins.
            VendorUnavailable: no login within the time that one may take.
        """
        again = CHECK_AGAIN if anew else ""
        call = Call(VENDOR, self._account.name, "the login", scan, (self._key,), again)
        owner = token_hex(8)
        for _ in range(POLLS):
            token, leads = await self._ledger.apply(self._take, owner, refused, anew)
            if token is not None:
                return token
            if leads:
                return await self._lead(call, owner)
            await self._sleep(POLL_SECONDS)
        raise call.error(
            VendorUnavailable,
            "another process has been logging in for too long;"
            f" {call.what_to_do(VendorUnavailable)}",
        )

    async def expires_at(self) -> float | None:
        """When the token ends, in seconds since the epoch, None without one."""
        return await self._ledger.look(tokens.expires_at, VENDOR, self._account.name)

    @property
    def _key(self) -> str:
        return self._account.key.get_secret_value()

    @property
    def _credential(self) -> str:
        return f"{self._account.email}\0{self._key}"

    @property
    def _lease(self) -> str:
        return f"login/{VENDOR}/{self._account.name}"

    def _load(self, tx: Tx) -> str | None:
        return tokens.load(tx, VENDOR, self._account.name, self._credential, SPARE_SECONDS)

    def _held_until(self, tx: Tx) -> float | None:
        free = quotas.next_free(tx, VENDOR, self._account.name, LOGINS)
        rested, _ = quotas.cooldown(tx, VENDOR, self._account.name)
        moment = max(free, rested)
        return moment if moment - tx.now > TURN_SECONDS else None

    def _take(
        self,
        tx: Tx,
        owner: str,
        refused: str | None,
        anew: bool,  # noqa: FBT001  private
    ) -> tuple[str | None, bool]:
        token = None if anew else self._load(tx)
        if token is not None and token != refused:
            return token, False
        if token is not None:
            tokens.forget(tx, VENDOR, self._account.name)
        return None, leases.acquire(tx, self._lease, owner, LEASE_SECONDS)

    async def _lead(self, call: Call, owner: str) -> str:
        try:
            await wait_turn(
                self._ledger, call, [LOGINS], longest_seconds=TURN_SECONDS, sleep=self._sleep
            )
            answer = self._read(call, await self._post(call))
            token = answer.access_token.get_secret_value()
            await self._ledger.apply(self._save, token, answer.life_seconds)
        finally:
            await self._ledger.apply(leases.release, self._lease, owner)
        return token

    async def _post(self, call: Call) -> Answer:
        body = {"email": self._account.email, "key": self._key}
        headers = {"Content-Type": "application/json"}
        content = json.dumps(body).encode()
        return await send(self._http(), call, "POST", self._url, headers=headers, content=content)

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

    def _save(self, tx: Tx, token: str, life_seconds: float) -> None:
        ends = tx.now + life_seconds
        tokens.save(tx, VENDOR, self._account.name, self._credential, token, ends)
