"""From `EXPORT_STORAGE_URL` to a store; a new kind of store is one line in `BACKENDS`."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, unquote

from export_pipeline.errors import ConfigError
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.options import StoreOptions, split_url
from export_pipeline.storage.store import Store


class Backend(NamedTuple):
    """A kind of store: its `open` module has `open_store`, its `options` module the model.

    Args:
        package: where both modules lie.
        options: name of the model of its variables, which imports without the extra.
        extra: what installs everything it needs; "" if nothing is needed.
    """

    package: str
    options: str
    extra: str = ""


_HTTP = Backend("export_pipeline.storage.http_put", "HttpPutOptions")
BACKENDS: Mapping[str, Backend] = {
    "s3": Backend("export_pipeline.storage.s3", "S3Options", "s3"),
    "gs": Backend("export_pipeline.storage.gcs", "GcsOptions", "gcs"),
    "az": Backend("export_pipeline.storage.azure", "AzureOptions", "azure"),
    "swift": Backend("export_pipeline.storage.swift", "SwiftOptions"),
    "sftp": Backend("export_pipeline.storage.sftp", "SftpOptions", "sftp"),
    "https": _HTTP,
    "http": _HTTP,
}
"""By the scheme of EXPORT_STORAGE_URL."""


def scheme_of(url: str) -> str:
    """The scheme that chooses the store, in lower case; any text will do."""
    return url.partition(":")[0].lower()


def options_of(url: str) -> type[StoreOptions] | None:
    """The model of the variables that the store at `url` reads, None if it reads none."""
    backend = BACKENDS.get(scheme_of(url))
    if backend is None:
        return None
    model: type[StoreOptions] = getattr(
        import_module(f"{backend.package}.options"), backend.options
    )
    return model


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
    try:
        parts = split_url(url)
    except ValueError as error:
        raise ConfigError(f"EXPORT_STORAGE_URL: {error}") from None
    if parts.scheme == "file":
        return _open_local(parts)
    if parts.scheme in BACKENDS:
        return _open_installed(parts, variables or {})
    supported = ", ".join(f"{scheme}://" for scheme in ("file", *BACKENDS))
    raise ConfigError(
        f"EXPORT_STORAGE_URL: no store for scheme {parts.scheme!r}: set an absolute path "
        f"or a URL of a supported scheme ({supported})"
    )


def _open_local(url: SplitResult) -> Store:
    if url.netloc not in ("", "localhost") or not url.path.startswith("/"):
        raise ConfigError("EXPORT_STORAGE_URL: a file:// URL needs three slashes: file:///archive")
    if url.query or url.fragment:
        raise ConfigError("EXPORT_STORAGE_URL: write ? as %3F and # as %23 in a file:// URL")
    path = unquote(url.path)
    if "\0" in path:
        raise ConfigError("EXPORT_STORAGE_URL: no path has a %00: take it out of the file:// URL")
    return LocalStore(Path(path))


def _open_installed(url: SplitResult, variables: Mapping[str, str]) -> Store:
    backend = BACKENDS[url.scheme]
    try:
        opener = import_module(f"{backend.package}.open")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"EXPORT_STORAGE_URL: {url.scheme}:// needs the package {error.name!r}: install it"
            f" with `pip install 'export-pipeline[{backend.extra}]'`"
        ) from error
    opened: Store = opener.open_store(url, variables)
    return opened
