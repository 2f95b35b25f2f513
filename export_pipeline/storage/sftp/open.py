"""From an `sftp://user@host:port/path` URL and the EXPORT_SFTP_ variables to a store."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import SplitResult

from export_pipeline.storage.options import read_options
from export_pipeline.storage.sftp.client import SftpClient
from export_pipeline.storage.sftp.connection import STALL_SECONDS, Connections
from export_pipeline.storage.sftp.options import SftpOptions
from export_pipeline.storage.sftp.place import find_login, find_place
from export_pipeline.storage.sftp.store import SftpStore
from export_pipeline.storage.sftp.trust import find_trust


def open_store(
    url: SplitResult,
    variables: Mapping[str, str],
    *,
    stall_seconds: float = STALL_SECONDS,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> SftpStore:
    """Return the store; no network is used yet.

    Args:
        url: its path is the archive's folder.
        variables: those of the environment that begin with EXPORT_SFTP_.
        stall_seconds: see `STALL_SECONDS`.
        sleep: waits before another try, in seconds.

    Raises:
        ConfigError: names the variable that cannot be used and why.
    """
    place = find_place(url)
    options = read_options(SftpOptions, variables)
    login = find_login(options)
    connections = Connections(place, login, find_trust(options), stall_seconds)
    return SftpStore(options, SftpClient(place, connections, sleep), login)
