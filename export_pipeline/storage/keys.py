"""Which keys a store accepts: the last line of defence against a key that leaves its prefix."""

from export_pipeline.errors import StoreError


def require_key(key: str) -> str:
    """Return `key` if every store can hold it under exactly this name.

    Raises:
        StoreError: the key is absolute, steps up, has an empty part or a control character.
    """
    _require_parts(key, key.split("/"))
    return key


def require_prefix(prefix: str) -> str:
    """Return `prefix` if whole folders in it are names that `require_key` accepts; "" is all.

    Raises:
        StoreError: see `require_key`.
    """
    _require_parts(prefix, prefix.split("/")[:-1])
    return prefix


def _require_parts(key: str, parts: list[str]) -> None:
    if any(part in ("", ".", "..") for part in parts):
        raise StoreError(f"{key!r} is not a key: it is absolute, steps up or has an empty part")
    if "\\" in key or not key.isprintable():
        raise StoreError(f"{key!r} is not a key: it has a backslash or an unprintable character")
