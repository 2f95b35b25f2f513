"""From `EXPORT_STORAGE_URL` to a store; a new kind of store is one line in `_MODULES`."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from export_pipeline.errors import ConfigError
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import Store

_MODULES: Mapping[str, tuple[str, str]] = {
    "s3": ("export_pipeline.storage.s3.open", "s3"),
}
"""Scheme -> the module whose `open_store` opens it, and the extra that installs what it needs."""


def open_store(url: str, variables: Mapping[str, str] | None = None) -> Store:
    """Return the store that `url` names: a URL or an absolute path. Nothing is touched yet.

    Args:
        url: see the README's table.
        variables: the environment's EXPORT_ variables with the backend's credentials and options.

    Raises:
        ConfigError: the URL names no store; the text never repeats it, as it may hold secrets.
    """
    if url.startswith("/"):
        return LocalStore(Path(url))
    parts = urlsplit(url)
    if parts.scheme == "file":
        return _open_local(parts)
    if parts.scheme in _MODULES:
        return _open_installed(parts, variables or {})
    supported = ", ".join(f"{scheme}://" for scheme in ("file", *_MODULES))
    raise ConfigError(
        f"EXPORT_STORAGE_URL: no store for scheme {parts.scheme!r}: set an absolute path "
        f"or a URL of a supported scheme ({supported})"
    )


def _open_local(url: SplitResult) -> Store:
    if url.netloc not in ("", "localhost") or not url.path.startswith("/"):
        raise ConfigError("EXPORT_STORAGE_URL: a file:// URL needs three slashes: file:///archive")
    if url.query or url.fragment:
        raise ConfigError("EXPORT_STORAGE_URL: write ? as %3F and # as %23 in a file:// URL")
    return LocalStore(Path(unquote(url.path)))


def _open_installed(url: SplitResult, variables: Mapping[str, str]) -> Store:
    module, extra = _MODULES[url.scheme]
    try:
        opener = import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"EXPORT_STORAGE_URL: {url.scheme}:// needs the package {error.name!r}: install it"
            f" with `pip install 'export-pipeline[{extra}]'`"
        ) from error
    opened: Store = opener.open_store(url, variables)
    return opened
