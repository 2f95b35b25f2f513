"""From an `https://host/path` URL and the EXPORT_HTTP_ variables to a store."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import SplitResult, quote, unquote

from export_pipeline.errors import ConfigError, StoreError
from export_pipeline.storage.http import Http
from export_pipeline.storage.http_put.client import HttpPutClient
from export_pipeline.storage.http_put.options import HttpPutOptions
from export_pipeline.storage.http_put.store import HttpPutStore
from export_pipeline.storage.keys import require_key
from export_pipeline.storage.options import read_options


def open_store(
    url: SplitResult,
    variables: Mapping[str, str],
    *,
    http: Http | None = None,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> HttpPutStore:
    """Return the store; no network is used yet.

    Args:
        url: of the folder, below which everything is written.
        variables: those of the environment that begin with EXPORT_HTTP_.
        http: sends the requests; None for the usual patience.
        now: seconds since the epoch.
        sleep: waits before another try, in seconds.

    Raises:
        ConfigError: names the variable that cannot be used and why.
    """
    if not url.hostname or "@" in url.netloc or url.query or url.fragment:
        raise ConfigError(
            "EXPORT_STORAGE_URL: write it as https://host/path; credentials have variables of their"
            " own (EXPORT_HTTP_...)"
        )
    folder = unquote(url.path).strip("/")
    try:
        path = "/" + quote(require_key(folder), safe="/") if folder else ""
    except StoreError as error:
        raise ConfigError(f"EXPORT_STORAGE_URL: the path {error}") from None
    address = f"{url.scheme}://{url.netloc}{path}"
    options = read_options(HttpPutOptions, variables)
    client = HttpPutClient(address, options.own_headers(), http or Http(), now, sleep)
    return HttpPutStore(address, options, client)
