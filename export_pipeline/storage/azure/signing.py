"""Azure's two signatures: of a request by the account's key (SharedKey), and of a URL (SAS).

Made here and not by azure-storage-blob, which this store would need for nothing else and whose
signers take no clock. The tests hold both against each other.
"""

import base64
import hashlib
import hmac
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from export_pipeline.storage.azure.place import Place

VERSION = "2025-05-05"
"""The version of the service that requests and signatures speak (Azure: "Versioning")."""
_SIGNED_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)
"""In the order of Azure's "Authorize with Shared Key"."""
_NO_OVERRIDES = ("",) * 5
"""The five headers of an answer that a SAS may replace: none."""


@dataclass(frozen=True)
class AccountKey:
    """The storage account's access key, which does not end."""

    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class DelegationKey:
    """A key that signs for an identity; but for the secret, as the service wrote it."""

    object_id: str
    tenant_id: str
    starts: str
    ends: str
    service: str
    version: str
    secret: bytes = field(repr=False)

    @property
    def fields(self) -> dict[str, str]:
        """What a URL says of the key, in the order in which it is signed."""
        return {
            "skoid": self.object_id,
            "sktid": self.tenant_id,
            "skt": self.starts,
            "ske": self.ends,
            "sks": self.service,
            "skv": self.version,
        }


Key = AccountKey | DelegationKey


def authorization(
    account: str, key: AccountKey, verb: str, url: str, headers: Mapping[str, str]
) -> str:
    """Return the value of the header that signs a request.

    Args:
        url: as it is sent.
        headers: names in lower case; every one that begins with `x-ms-` is signed.
    """
    parts = urlsplit(url)
    bound = {**headers, "content-length": headers.get("content-length", "").lstrip("0")}
    own = sorted((name for name in headers if name.startswith("x-ms-")), key=_rank)
    query = sorted(parse_qsl(parts.query, keep_blank_values=True))
    lines = [
        verb,
        *(bound.get(name, "") for name in _SIGNED_HEADERS),
        *(f"{name}:{headers[name]}" for name in own),
        f"/{account}{parts.path}",
        *(f"{name}:{value}" for name, value in query),
    ]
    return f"SharedKey {account}:{_signature(key, lines)}"


def sas(place: Place, name: str, permission: str, until: float, key: Key) -> str:
    """Return the query of a URL that allows one thing on one blob.

    It binds neither headers nor size: no SAS can, of an access key.

    Args:
        place: the container.
        name: of the blob.
        permission: `c` to create it, `r` to read it.
        until: seconds since the epoch, rounded up.
        key: which ends no sooner.
    """
    delegated = key.fields if isinstance(key, DelegationKey) else {}
    fields = {
        "sp": permission,
        "se": timestamp(math.ceil(until)),
        "spr": "https" if place.is_encrypted else "https,http",
        "sv": VERSION,
        "sr": "b",
    }
    lines = [
        fields["sp"],
        "",  # its start: at once, whatever this machine's clock says
        fields["se"],
        f"/blob/{place.account}/{place.container}/{name}",
        *([*delegated.values(), "", "", ""] if delegated else [""]),
        "",  # the addresses that may use it: a vendor's are not known
        fields["spr"],
        fields["sv"],
        fields["sr"],
        "",  # a snapshot
        "",  # an encryption scope
        *_NO_OVERRIDES,
    ]
    query = {**fields, **delegated, "sig": _signature(key, lines)}
    return urlencode(query, quote_via=quote, safe="")


def timestamp(moment: float) -> str:
    """Write seconds since the epoch as Azure reads them."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _signature(key: Key, lines: Sequence[str]) -> str:
    digest = hmac.new(key.secret, "\n".join(lines).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _rank(name: str) -> str:
    # The service sorts by its culture's rules, where _ comes before digits (azure-storage-blob:
    # `_storage_header_sort`).
    return name.replace("_", " ")
