"""From `EXPORT_STORAGE_URL` to a store; a new kind of store is one line in `_STORES`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from export_pipeline.errors import ConfigError
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import Store


def open_store(url: str) -> Store:
    """Return the store that `url` names: a URL or an absolute path. Nothing is touched yet.

    Raises:
        ConfigError: the URL names no store; the text never repeats it, as it may hold secrets.
    """
    if url.startswith("/"):
        return LocalStore(Path(url))
    parts = urlsplit(url)
    if parts.scheme not in _STORES:
        supported = ", ".join(f"{scheme}://" for scheme in _STORES)
        raise ConfigError(
            f"EXPORT_STORAGE_URL: no store for scheme {parts.scheme!r}: set an absolute path "
            f"or a URL of a supported scheme ({supported})"
        )
    return _STORES[parts.scheme](parts)


def _open_local(url: SplitResult) -> Store:
    if url.netloc not in ("", "localhost") or not url.path.startswith("/"):
        raise ConfigError("EXPORT_STORAGE_URL: a file:// URL needs three slashes: file:///archive")
    if url.query or url.fragment:
        raise ConfigError("EXPORT_STORAGE_URL: write ? as %3F and # as %23 in a file:// URL")
    return LocalStore(Path(unquote(url.path)))


_STORES: Mapping[str, Callable[[SplitResult], Store]] = {
    "file": _open_local,
}
