"""From a `swift://container/prefix` URL and the EXPORT_SWIFT_ variables to a store."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import SplitResult, unquote

from export_pipeline.errors import ConfigError, StoreError
from export_pipeline.storage.http import Http
from export_pipeline.storage.keys import require_key
from export_pipeline.storage.options import read_options
from export_pipeline.storage.swift.client import SwiftClient
from export_pipeline.storage.swift.keystone import Keystone
from export_pipeline.storage.swift.options import SwiftOptions, bare
from export_pipeline.storage.swift.store import SwiftStore
from export_pipeline.storage.swift.tempurl import TempUrls


def open_store(
    url: SplitResult,
    variables: Mapping[str, str],
    *,
    http: Http | None = None,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> SwiftStore:
    """Return the store; no network is used yet.

    Args:
        url: its host is the container, its path the prefix.
        variables: those of the environment that begin with EXPORT_SWIFT_.
        http: sends the requests; None for the usual patience.
        now: seconds since the epoch.
        sleep: waits before another try, in seconds.

    Raises:
        ConfigError: names the variable that cannot be used and why.
    """
    # Not its hostname, which is in lower case; a container's name need not be.
    container = unquote(url.netloc)
    is_odd = "@" in url.netloc or ":" in url.netloc or "/" in container
    if not container or is_odd or url.query or url.fragment:
        raise ConfigError(
            "EXPORT_STORAGE_URL: write it as swift://container/prefix; credentials and options have"
            " variables of their own (EXPORT_SWIFT_...)"
        )
    prefix = unquote(url.path).strip("/")
    try:
        folder = require_key(prefix) + "/" if prefix else ""
    except StoreError as error:
        raise ConfigError(f"EXPORT_STORAGE_URL: the prefix {error}") from None
    options = read_options(SwiftOptions, variables)
    sender = http or Http()
    keystone = Keystone(options, sender, now)
    key = bare(options.tempurl_key)
    tempurls = TempUrls(key, keystone, sender) if key else None
    client = SwiftClient(container, keystone, sender, sleep)
    return SwiftStore(folder, options, client, tempurls, now)
