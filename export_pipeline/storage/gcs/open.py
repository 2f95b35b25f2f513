"""From a `gs://bucket/prefix` URL and the EXPORT_GCS_ variables to a store."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import SplitResult, unquote

from export_pipeline.errors import ConfigError, StoreError
from export_pipeline.storage.gcs.account import find_account
from export_pipeline.storage.gcs.client import GOOGLE, GcsClient
from export_pipeline.storage.gcs.iam import IAM_URL
from export_pipeline.storage.gcs.options import GcsOptions
from export_pipeline.storage.gcs.store import GcsStore
from export_pipeline.storage.http import Http
from export_pipeline.storage.keys import require_key
from export_pipeline.storage.options import read_options

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
"""Cloud Storage: "Bucket naming requirements"."""


def open_store(
    url: SplitResult,
    variables: Mapping[str, str],
    *,
    http: Http | None = None,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    iam_url: str = IAM_URL,
) -> GcsStore:
    """Return the store; no network is used yet.

    Args:
        url: its path is the prefix.
        variables: those of the environment that begin with EXPORT_GCS_.
        http: sends the requests; None for the usual patience.
        now: seconds since the epoch.
        sleep: waits before another try, in seconds.
        iam_url: where IAM signs URLs.

    Raises:
        ConfigError: names the variable that cannot be used and why.
    """
    prefix = unquote(url.path).strip("/")
    bucket = url.hostname or ""
    if not _BUCKET.fullmatch(bucket) or url.netloc != bucket or url.query or url.fragment:
        raise ConfigError(
            "EXPORT_STORAGE_URL: write it as gs://bucket/prefix, the bucket in lower case;"
            " credentials and options have variables of their own (EXPORT_GCS_...)"
        )
    try:
        folder = require_key(prefix) + "/" if prefix else ""
    except StoreError as error:
        raise ConfigError(f"EXPORT_STORAGE_URL: the prefix {error}") from None
    options = read_options(GcsOptions, variables)
    account = find_account(options, iam_url)
    client = GcsClient(bucket, options.endpoint or GOOGLE, account, http or Http(), sleep)
    return GcsStore(folder, options, client, account, now)
