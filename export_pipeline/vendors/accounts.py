"""What vendors have in common: their accounts by name, and connections that are closed."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import ClassVar, Generic, Self, TypeVar

import httpx

from export_pipeline.errors import ConfigError
from export_pipeline.ledger.database import Ledger
from export_pipeline.settings import Settings
from export_pipeline.vendors.channel import Channel
from export_pipeline.vendors.connections import Connections
from export_pipeline.vendors.http import make_client
from export_pipeline.vendors.pacing import Sleep

Served = TypeVar("Served")


class Accounts(ABC, Generic[Served]):
    """A vendor's accounts and what serves each; an async context manager that closes connections.

    Args:
        settings: with the vendor's variables; see its options.
        ledger: tokens, links, leases and quotas.
        http: makes the API's HTTP client, one per event loop at first use.
        clock: seconds since the epoch.
        sleep: waits for the seconds it is given.
    """

    name: str
    lacking: ClassVar[str]
    """What an account that is not configured lacks, and what to set, as the end of a sentence."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        *,
        http: Callable[[], httpx.AsyncClient] = make_client,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._connections = Connections(http)
        self._channel = Channel(ledger, self._connections, clock, sleep)
        self._wrong: Mapping[str, str] = {}
        self._served = self._serve(settings)

    @abstractmethod
    def _serve(self, settings: Settings) -> Mapping[str, Served]:
        """Read the settings; account -> what serves it, reaching the vendor by `_channel`.

        Accounts that cannot be used go into `_wrong`.
        """

    async def __aenter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close what this event loop opened."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._connections.aclose()

    @property
    def accounts(self) -> Sequence[str]:
        """The accounts in the environment that can be used."""
        return list(self._served)

    @property
    def wrong(self) -> Mapping[str, str]:
        """Those that cannot be used, each with why and what to set."""
        return self._wrong

    def require(self, account: str) -> None:
        """Raise `ConfigError` for an account without credentials."""
        self._of(account)

    def require_all(self) -> None:
        """Raise `ConfigError` if an account cannot be used."""
        if self._wrong:
            raise ConfigError("; ".join(dict.fromkeys(self._wrong.values())))

    def _of(self, account: str) -> Served:
        found = self._served.get(account)
        if found is None:
            raise ConfigError(
                self._wrong.get(account)
                or f"{type(self).__name__} account {account!r} has no {self.lacking}, for another"
                " than the default account with its name between, and name it in"
                f" EXPORT_{self.name.upper()}_ACCOUNTS"
            )
        return found
