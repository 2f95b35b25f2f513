"""An identity of this machine, found by Azure's default chain; it signs by user delegation keys."""

import asyncio
import base64
from collections.abc import Callable, Mapping
from datetime import datetime

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity import DefaultAzureCredential

from export_pipeline.errors import AccessDenied, StoreError, StoreUnavailable
from export_pipeline.storage.azure.ahead import Ahead
from export_pipeline.storage.azure.client import AzureClient
from export_pipeline.storage.azure.place import Place
from export_pipeline.storage.azure.signing import DelegationKey, Key, timestamp
from export_pipeline.storage.azure.words import MAX_SKEW_SECONDS
from export_pipeline.storage.http import Http
from export_pipeline.storage.parts import make_part
from export_pipeline.storage.xml import parse, text

SCOPE = "https://storage.azure.com/.default"
"""What tokens are asked for, in every cloud (Azure: "Authorize with Microsoft Entra ID")."""
TOKEN_AHEAD_SECONDS = 240.0
"""Less than the 300 seconds before its end at which Azure's login gives a new one."""
TOKEN_SECONDS = 30.0
"""A token with less time left is not sent."""
KEY_SECONDS = 7 * 24 * 3600.0
"""Longest life of a user delegation key (Azure: "Get User Delegation Key")."""
KEY_AHEAD_SECONDS = KEY_SECONDS / 2
KEY_STALL_SECONDS = 10.0
"""Patience with the call for a key, as an event loop may be waiting for it."""


class Chain:
    """Credentials of an identity: a token for our own requests, keys for URLs.

    Both are fetched by threads, and again before they end. `key_now` cannot await: it holds up its
    event loop for the first key, at most for `ahead.WAIT_SECONDS`, and later for none.

    Args:
        place: the container.
        now: seconds since the epoch.
    """

    name = "the identity that Azure's default chain finds"
    signs = True

    def __init__(self, place: Place, now: Callable[[], float]) -> None:
        self._place = place
        self._now = now
        self._tokens = Ahead("Azure's token", self._fetch_token, TOKEN_AHEAD_SECONDS, now)
        self._keys = Ahead("the user delegation key", self._fetch_key, KEY_AHEAD_SECONDS, now)

    async def authorized(
        self,
        verb: str,  # noqa: ARG002  the token is for every request
        url: str,
        headers: Mapping[str, str],
    ) -> tuple[str, Mapping[str, str]]:
        """See `Credentials.authorized`."""
        token = await self._tokens.get(TOKEN_SECONDS)
        return url, {**headers, "authorization": f"Bearer {token}"}

    async def key(self, seconds: float) -> Key:
        """See `Credentials.key`."""
        return await self._keys.get(self._possible(seconds))

    def key_now(self, seconds: float) -> Key:
        """See `Credentials.key_now`."""
        return self._keys.wait(self._possible(seconds))

    def _possible(self, seconds: float) -> float:
        longest = KEY_SECONDS - MAX_SKEW_SECONDS
        if seconds > longest:
            raise StoreError(
                f"no signed URL of an identity lives {seconds:g} seconds: Azure's limit is"
                f" {longest:g}; lower EXPORT_ORDER_DEADLINE, or what `link --for` asks for,"
                " or set EXPORT_AZURE_ACCESS_KEY"
            )
        return seconds

    def _fetch_token(self) -> tuple[str, float]:
        try:
            with DefaultAzureCredential() as chain:
                found = chain.get_token(SCOPE)
        except ClientAuthenticationError as error:
            raise AccessDenied(
                "no Azure credentials: set EXPORT_AZURE_ACCESS_KEY or EXPORT_AZURE_SAS_TOKEN, or"
                f" give this machine an identity{_refusals(str(error))}"
            ) from None
        except AzureError as error:
            raise StoreUnavailable(f"Azure's login gave no token: {error}") from None
        return found.token, float(found.expires_on)

    def _fetch_key(self) -> tuple[DelegationKey, float]:
        key = asyncio.run(self._ask_key())
        return key, datetime.fromisoformat(key.ends).timestamp()

    async def _ask_key(self) -> DelegationKey:
        # Sessions of its own, as this is another thread than the one that `Http` is used in.
        http = Http(KEY_STALL_SECONDS)
        client = AzureClient(self._place.whole_account, self, http, self._now)
        starts = self._now() - MAX_SKEW_SECONDS
        wanted = (
            f"<KeyInfo><Start>{timestamp(starts)}</Start>"
            f"<Expiry>{timestamp(starts + KEY_SECONDS)}</Expiry></KeyInfo>"
        )
        answer = await client.call(
            "GetUserDelegationKey",
            "POST",
            "",
            query={"comp": "userdelegationkey", "restype": "service"},
            body=await make_part([wanted.encode()]),
        )
        return _delegation_key(answer.body)


def _refusals(told: str) -> str:
    """Keep of what the chain tells of its links those lines that are not of links left unset."""
    lines = [line.strip() for line in told.splitlines()]
    return "".join(f"; {one}" for one in lines if "AADSTS" in one or "error" in one.lower())


def _delegation_key(body: bytes) -> DelegationKey:
    found = parse(body)
    return DelegationKey(
        object_id=text(found, "SignedOid"),
        tenant_id=text(found, "SignedTid"),
        starts=text(found, "SignedStart"),
        ends=text(found, "SignedExpiry"),
        service=text(found, "SignedService"),
        version=text(found, "SignedVersion"),
        secret=base64.b64decode(text(found, "Value")),
    )
