"""An object as the JSON API describes it (Cloud Storage JSON API: "Objects")."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from export_pipeline.errors import StoreError

FIELDS = "name,size,generation,md5Hash,crc32c"
"""What is asked for of each object."""


@dataclass(frozen=True)
class Resource:
    """What the store says of an object.

    Args:
        name: with the store's prefix.
        size: in bytes.
        generation: the store's number of this very object under its name.
        md5: in hexadecimal; "" for an object that was composed of others.
        crc32c: in hexadecimal.
    """

    name: str
    size: int
    generation: str
    md5: str
    crc32c: str

    @property
    def checksum(self) -> str | None:
        """As `StoredObject.checksum` has it."""
        if self.md5:
            return f"md5:{self.md5}"
        return f"crc32c:{self.crc32c}" if self.crc32c else None


def read_resource(item: Mapping[str, Any], name: str) -> Resource:
    """Read a description.

    Args:
        name: what it should describe, for the error's words.

    Raises:
        StoreError: it is none.
    """
    try:
        return Resource(
            name=item["name"],
            size=int(item["size"]),
            generation=str(item["generation"]),
            md5=_hexadecimal(item.get("md5Hash", "")),
            crc32c=_hexadecimal(item.get("crc32c", "")),
        )
    except (KeyError, TypeError, ValueError):
        raise StoreError(f"what the store says of {name!r} cannot be read") from None


def _hexadecimal(checksum: str) -> str:
    return base64.b64decode(checksum).hex()
