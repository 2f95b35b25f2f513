"""With what requests, and URLs for others, are authorised, where it was set."""

from collections.abc import Callable, Mapping
from typing import Protocol

from export_pipeline.errors import AccessDenied
from export_pipeline.storage.azure.signing import AccountKey, Key, authorization, timestamp


class Credentials(Protocol):
    """What every kind of credentials offers."""

    @property
    def name(self) -> str:
        """What a person would correct."""

    @property
    def signs(self) -> bool:
        """Whether URLs can be signed for others."""

    async def authorized(
        self, verb: str, url: str, headers: Mapping[str, str]
    ) -> tuple[str, Mapping[str, str]]:
        """Return URL and headers as they are to be sent.

        Raises:
            StoreError: there are no credentials, or they have ended.
        """

    async def key(self, seconds: float) -> Key | None:
        """Return a key that signs URLs for `seconds`; None if there is none.

        Raises:
            StoreError: no key lasts so long, or it cannot be had.
        """

    def key_now(self, seconds: float) -> Key | None:
        """See `key`; blocks if it must be waited for."""


class SharedKey:
    """The account's access key.

    Args:
        account: the storage account's name.
        key: signs requests and URLs.
    """

    name = "EXPORT_AZURE_ACCESS_KEY"
    signs = True

    def __init__(self, account: str, key: AccountKey) -> None:
        self._account = account
        self._key = key

    async def authorized(
        self, verb: str, url: str, headers: Mapping[str, str]
    ) -> tuple[str, Mapping[str, str]]:
        """See `Credentials.authorized`."""
        signature = authorization(self._account, self._key, verb, url, headers)
        return url, {**headers, "authorization": signature}

    async def key(self, seconds: float) -> Key:  # noqa: ARG002  it does not end
        """See `Credentials.key`."""
        return self._key

    def key_now(self, seconds: float) -> Key:  # noqa: ARG002  it does not end
        """See `Credentials.key_now`."""
        return self._key


class SasToken:
    """A SAS token: it authorises our own requests, and cannot sign others'.

    Args:
        token: as a query, without the question mark.
        ends: seconds since the epoch; None if it does not say.
        now: seconds since the epoch.
    """

    name = "EXPORT_AZURE_SAS_TOKEN"
    signs = False

    def __init__(self, token: str, ends: float | None, now: Callable[[], float]) -> None:
        self._token = token
        self._ends = ends
        self._now = now

    async def authorized(
        self,
        verb: str,  # noqa: ARG002  the token is for every verb
        url: str,
        headers: Mapping[str, str],
    ) -> tuple[str, Mapping[str, str]]:
        """See `Credentials.authorized`."""
        if self._ends is not None and self._ends <= self._now():
            raise AccessDenied(f"{self.name} ended at {timestamp(self._ends)}: set a new one")
        return f"{url}{'&' if '?' in url else '?'}{self._token}", headers

    async def key(self, seconds: float) -> None:
        """None: see `Credentials.key`."""

    def key_now(self, seconds: float) -> None:
        """None: see `Credentials.key_now`."""
