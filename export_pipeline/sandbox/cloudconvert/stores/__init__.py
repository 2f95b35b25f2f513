"""Where CloudConvert's exports and imports go by credentials that the task was given."""

from importlib import import_module
from typing import NamedTuple, cast

from export_pipeline.sandbox.cloudconvert.calling import CallError
from export_pipeline.sandbox.cloudconvert.stores.store import Store


class _Kind(NamedTuple):
    """The module of a kind of store, and the arguments that name files in it."""

    module: str
    pattern: str
    prefix: str


_KINDS = {
    "s3": _Kind("s3", "key", "key_prefix"),
    "azure/blob": _Kind("azure", "blob", "blob_prefix"),
    "google-cloud-storage": _Kind("google", "file", "file_prefix"),
    "openstack": _Kind("swift", "file", "file_prefix"),
    "sftp": _Kind("sftp", "file", "path"),
}


def open_store(kind: str) -> Store:
    """The store of an operation such as `export/s3`, whose last part is its kind."""
    module = f"{__name__}.{_KINDS[kind].module}"
    try:
        # Botocore and asyncssh are extras of the project, and slow to import.
        return cast("Store", import_module(module))
    except ImportError as error:
        raise CallError(f"this sandbox has no client for {kind}: {error}") from error


def naming_arguments(kind: str) -> tuple[str, str]:
    """The arguments for a whole name, or for what comes before a file's own."""
    return _KINDS[kind].pattern, _KINDS[kind].prefix
