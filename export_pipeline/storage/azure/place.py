"""Where blobs are: account, container and the address of the account's blob service."""

from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode, urlsplit

PUBLIC_DOMAIN = "blob.core.windows.net"
"""Where the accounts of Azure's public cloud are."""
_SAFE = "-_.~"


@dataclass(frozen=True)
class Place:
    """One container.

    Args:
        account: the storage account's name.
        container: its name; "" for the account itself.
        service: address of the account's blob service, without a slash at the end.
    """

    account: str
    container: str
    service: str

    @property
    def is_encrypted(self) -> bool:
        """Whether the service is reached by HTTPS."""
        return urlsplit(self.service).scheme == "https"

    @property
    def whole_account(self) -> "Place":
        """The account that the container is in."""
        return replace(self, container="")

    def address(self, name: str = "", query: dict[str, str] | None = None) -> str:
        """Return the URL of a blob, or with `name` "" of the container."""
        path = quote(f"{self.container}/{name}" if name else self.container, safe=f"{_SAFE}/")
        asked = urlencode(query or {}, safe=_SAFE, quote_via=quote)
        return f"{self.service}/{path}" + (f"?{asked}" if asked else "")

    def named(self, name: str = "") -> str:
        """Return what errors call a blob, or with `name` "" the container."""
        parts = [repr(name)] if name else []
        parts += [f"container {self.container!r}"] if self.container else []
        return f"{' in '.join(parts) or 'the account'} at {self.service}"
