"""From an `s3://bucket/prefix` URL and the EXPORT_S3_ variables to a store."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import SplitResult, unquote

from export_pipeline.errors import ConfigError, StoreError
from export_pipeline.storage.http import Http
from export_pipeline.storage.keys import require_key
from export_pipeline.storage.options import read_options
from export_pipeline.storage.s3.client import S3Client
from export_pipeline.storage.s3.options import S3Options
from export_pipeline.storage.s3.place import find
from export_pipeline.storage.s3.signing import Signer
from export_pipeline.storage.s3.store import S3Store


def open_store(
    url: SplitResult,
    variables: Mapping[str, str],
    *,
    http: Http | None = None,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> S3Store:
    """Return the store; no network is used yet.

    Args:
        url: its path is the prefix.
        variables: those of the environment that begin with EXPORT_S3_.
        http: sends the requests; None for the usual patience.
        now: seconds since the epoch.
        sleep: waits before another try, in seconds.

    Raises:
        ConfigError: names the variable that cannot be used and why.
    """
    prefix = unquote(url.path).strip("/")
    if not url.hostname or url.netloc != url.hostname or url.query or url.fragment:
        raise ConfigError(
            "EXPORT_STORAGE_URL: write it as s3://bucket/prefix, the bucket in lower case;"
            " credentials and options have variables of their own (EXPORT_S3_...)"
        )
    try:
        folder = require_key(prefix) + "/" if prefix else ""
    except StoreError as error:
        raise ConfigError(f"EXPORT_STORAGE_URL: the prefix {error}") from None
    options = read_options(S3Options, variables)
    place, credentials = find(url.hostname, options, now)
    signer = Signer(place.region, now)
    client = S3Client(place, credentials, signer, http or Http(), sleep)
    return S3Store(folder, options, client, credentials, signer, now)
