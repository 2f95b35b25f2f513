"""From an `az://account/container/prefix` URL and the EXPORT_AZURE_ variables to a store."""

import asyncio
import base64
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import SplitResult, unquote

from export_pipeline.errors import ConfigError, StoreError
from export_pipeline.storage.azure.chain import Chain
from export_pipeline.storage.azure.client import AzureClient
from export_pipeline.storage.azure.credentials import Credentials, SasToken, SharedKey
from export_pipeline.storage.azure.options import AzureOptions
from export_pipeline.storage.azure.place import PUBLIC_DOMAIN, Place
from export_pipeline.storage.azure.signing import AccountKey
from export_pipeline.storage.azure.store import AzureStore
from export_pipeline.storage.http import Http
from export_pipeline.storage.keys import require_key
from export_pipeline.storage.options import read_options

_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}")
"""Azure: "Storage account name" and "Naming containers"."""


def open_store(
    url: SplitResult,
    variables: Mapping[str, str],
    *,
    http: Http | None = None,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AzureStore:
    """Return the store; no network is used yet.

    Args:
        url: its path is container and prefix.
        variables: those of the environment that begin with EXPORT_AZURE_.
        http: sends the requests; None for the usual patience.
        now: seconds since the epoch.
        sleep: waits before another try, in seconds.

    Raises:
        ConfigError: names the variable that cannot be used and why.
    """
    container, _, prefix = unquote(url.path).strip("/").partition("/")
    is_plain = not (url.query or url.fragment)
    if not (_ACCOUNT.fullmatch(url.netloc) and _CONTAINER.fullmatch(container) and is_plain):
        raise ConfigError(
            "EXPORT_STORAGE_URL: write it as az://account/container/prefix, account and container"
            " in lower case; credentials and options have variables of their own (EXPORT_AZURE_...)"
        )
    try:
        folder = require_key(prefix) + "/" if prefix else ""
    except StoreError as error:
        raise ConfigError(f"EXPORT_STORAGE_URL: the prefix {error}") from None
    options = read_options(AzureOptions, variables)
    service = options.endpoint or f"https://{url.netloc}.{PUBLIC_DOMAIN}"
    place = Place(url.netloc, container, service)
    client = AzureClient(place, _credentials(place, options, now), http or Http(), now, sleep)
    return AzureStore(folder, options, client, now)


def _credentials(place: Place, options: AzureOptions, now: Callable[[], float]) -> Credentials:
    if options.access_key:
        secret = base64.b64decode(options.access_key.get_secret_value())
        return SharedKey(place.account, AccountKey(secret))
    if options.sas_token:
        return SasToken(options.sas_token.get_secret_value(), options.sas_ends, now)
    return Chain(place, now)
