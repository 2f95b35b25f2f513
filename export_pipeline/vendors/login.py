"""One login token of an account, shared by all tasks and processes through the ledger."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from secrets import token_hex

from export_pipeline.errors import AuthenticationFailed, RateLimited, VendorError, VendorUnavailable
from export_pipeline.ledger import leases, quotas, tokens
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.quotas import Quota
from export_pipeline.vendors.channel import Channel
from export_pipeline.vendors.http import Answer, Call, classify
from export_pipeline.vendors.pacing import wait_turn
from export_pipeline.vendors.payloads import read_answer

SPARE_SECONDS = 300.0
"""A token is renewed this long before its end, as Copyleaks's official SDKs do (FACTS 1.1)."""
KNOWN_SECONDS = 60.0
"""A token is used so long before the ledger is asked for it again; less than what is spared."""
TURN_SECONDS = 30.0
"""The longest that a login waits for its turn within the limit."""
LEASE_SECONDS = 120.0
"""How long one login may take: its turn and one call, with room to write the token down."""
POLL_SECONDS = 0.25
POLLS = int((LEASE_SECONDS + TURN_SECONDS) / POLL_SECONDS)
"""Waits past the end of a dead process's lease, so that the login is then taken over."""
CHECK_AGAIN = "run `export-pipeline check` again later"


@dataclass(frozen=True)
class Granted:
    """A token as a vendor gave it out."""

    token: str = field(repr=False)
    life_seconds: float


class Login(ABC):
    """Gives the account's token; whoever finds none logs in, all others wait for that one.

    Args:
        vendor: the vendor's name.
        account: the account's short name.
        credential: everything with which the token is got; it alone can read the cached one.
        quota: the vendor's limit on logins.
        channel: how the vendor is reached; its ledger keeps token, lease and quota.
    """

    def __init__(
        self,
        vendor: str,
        account: str,
        credential: str,
        quota: Quota,
        channel: Channel,
    ) -> None:
        self._vendor = vendor
        self._account = account
        self._credential = credential
        self._quota = quota
        self._channel = channel
        self._ledger = channel.ledger
        self._known: tuple[str, float] | None = None

    @property
    @abstractmethod
    def secrets(self) -> tuple[str, ...]:
        """What no error may repeat."""

    @property
    def todo(self) -> str:
        """What to do about a login that is refused; "" if no more can be said than of any."""
        return ""

    @abstractmethod
    async def send(self, call: Call) -> Answer:
        """Ask the vendor for a token; the turn within the limit is claimed already.

        Raises:
            VendorUnavailable: no answer.
        """

    @abstractmethod
    def read(self, body: bytes) -> Granted:
        """Read the answer to a login that succeeded.

        Raises:
            ValidationError: it is not what the vendor documents.
        """

    @abstractmethod
    def read_refusal(self, body: bytes) -> str:
        """The vendor's own words in the answer to one that did not."""

    async def cached(self) -> str | None:
        """The token that lives a while yet, None if somebody has to log in."""
        now = self._channel.clock()
        if self._known is not None and 0 <= now - self._known[1] < KNOWN_SECONDS:
            return self._known[0]
        token = await self._ledger.look(self._load)
        self._known = None if token is None else (token, now)
        return token

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
        self._known = None
        advice: dict[type[VendorError], str] = {AuthenticationFailed: self.todo}
        call = Call(self._vendor, self._account, "the login", scan, self.secrets, again, advice)
        owner = token_hex(8)
        for _ in range(POLLS):
            token, leads = await self._ledger.apply(self._take, owner, refused, anew)
            if token is not None:
                return token
            if leads:
                return await self._lead(call, owner)
            await self._channel.sleep(POLL_SECONDS)
        raise call.error(
            VendorUnavailable,
            "another process has been logging in for too long;"
            f" {call.what_to_do(VendorUnavailable)}",
        )

    async def expires_at(self) -> float | None:
        """When the token ends, in seconds since the epoch, None without one."""
        return await self._ledger.look(tokens.expires_at, self._vendor, self._account)

    @property
    def _lease(self) -> str:
        return f"login/{self._vendor}/{self._account}"

    def _load(self, tx: Tx) -> str | None:
        return tokens.load(tx, self._vendor, self._account, self._credential, SPARE_SECONDS)

    def _held_until(self, tx: Tx) -> float | None:
        free = quotas.next_free(tx, self._vendor, self._account, self._quota)
        rested = quotas.cooldown(tx, self._vendor, self._account).until
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
            tokens.forget(tx, self._vendor, self._account)
        return None, leases.acquire(tx, self._lease, owner, LEASE_SECONDS)

    async def _lead(self, call: Call, owner: str) -> str:
        try:
            await wait_turn(
                self._ledger,
                call,
                [self._quota],
                longest_seconds=TURN_SECONDS,
                sleep=self._channel.sleep,
            )
            granted = self._granted(call, await self.send(call))
            await self._ledger.apply(self._save, granted)
        finally:
            await self._ledger.apply(leases.release, self._lease, owner)
        return granted.token

    def _granted(self, call: Call, answer: Answer) -> Granted:
        if not answer.is_success:
            kind = classify(answer)
            # No vendor documents the status of a failed login (FACTS 1.1): any refusal is one.
            if kind not in (RateLimited, VendorUnavailable):
                kind = AuthenticationFailed
            said = self.read_refusal(answer.body)
            raise self._channel.failure(call, answer, said, kind)
        return read_answer(call, answer, self.read, "the login address")

    def _save(self, tx: Tx, granted: Granted) -> None:
        ends = tx.now + granted.life_seconds
        tokens.save(tx, self._vendor, self._account, self._credential, granted.token, ends)
