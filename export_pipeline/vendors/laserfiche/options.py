"""Laserfiche's variables: its limits, what is exported, and the accounts with their repositories.

An account is a set of credentials for one repository: entry ids of two repositories collide.
"""

import json
import re
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, SecretStr, model_validator

from export_pipeline.vendors.laserfiche.access_key import AccessKey
from export_pipeline.vendors.laserfiche.details import ExportOptions
from export_pipeline.vendors.laserfiche.models import Part
from export_pipeline.vendors.options import VendorAccount, VendorOptions, infix, part, variable

PREFIX = "EXPORT_LASERFICHE_"
EXPORTS_PER_MINUTE = 30
CALLS_PER_MINUTE = 100
"""FACTS 2.8: import and export calls have a limit of their own, all others share this one."""
SYNC_BYTES = 10 << 20
SYNC_PAGES = 20
"""Ours: what a repository surely exports within the 60 s after which seed 001's sync call fails."""
DISCOVERY_SECONDS = 600
OVERLAP_SECONDS = 86_400
SWEEP_SECONDS = 86_400
_SEPARATORS = re.compile(r"[,;\s]+")


def _parts(value: Any) -> Any:
    return tuple(_SEPARATORS.split(value.strip(",; "))) if isinstance(value, str) else value


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('it is not JSON such as {"imageOptions": {"format": "PDF"}}') from None


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write it as https://server/LFRepositoryAPI")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("write only scheme, host, port and path")
    return url.rstrip("/")


def _access_key(value: Any) -> Any:
    return AccessKey.from_text(value) if isinstance(value, str) else value


Address = Annotated[str, BeforeValidator(_address)]


class LaserficheOptions(VendorOptions):
    """What holds for all accounts."""

    prefix: ClassVar[str] = PREFIX

    parts: Annotated[tuple[Part, ...], BeforeValidator(_parts)] = variable(
        PREFIX + "PARTS",
        "Parts asked for where a scan does not say: Image, Text, Edoc; empty: all",
        default=(),
    )
    export: Annotated[ExportOptions | None, BeforeValidator(_json)] = variable(
        PREFIX + "OPTIONS",
        "How parts are exported where a scan does not say, JSON in the vendor's own names",
        default=None,
    )
    sync_bytes: int = variable(
        PREFIX + "SYNC_BYTES",
        "Largest electronic document that is exported synchronously, in bytes",
        default=SYNC_BYTES,
        ge=0,
    )
    sync_pages: int = variable(
        PREFIX + "SYNC_PAGES",
        "Most pages that are exported synchronously",
        default=SYNC_PAGES,
        ge=0,
    )
    exports_per_minute: int = variable(
        PREFIX + "EXPORTS_PER_MINUTE",
        "Laserfiche's limit on import and export calls",
        default=EXPORTS_PER_MINUTE,
        ge=1,
    )
    calls_per_minute: int = variable(
        PREFIX + "CALLS_PER_MINUTE",
        "Laserfiche's limit on all other calls",
        default=CALLS_PER_MINUTE,
        ge=20,
    )
    discovery_seconds: int = variable(
        PREFIX + "DISCOVERY_SECONDS",
        "Seconds between two looks for new and changed documents",
        default=DISCOVERY_SECONDS,
        ge=1,
    )
    overlap_seconds: int = variable(
        PREFIX + "DISCOVERY_OVERLAP",
        "Seconds before the newest known change that each look goes back",
        default=OVERLAP_SECONDS,
        ge=0,
    )
    sweep_seconds: int = variable(
        PREFIX + "DISCOVERY_SWEEP",
        "Seconds between two looks at everything, however old",
        default=SWEEP_SECONDS,
        ge=0,
    )


class LaserficheAccount(VendorAccount):
    """One set of credentials with its repository: self-hosted, or a cloud service app."""

    repository: str = part("REPOSITORY", "Id of the repository, e.g. r-abc123", min_length=1)
    url: Address | None = part(
        "URL",
        "Address of a self-hosted API, https://server/LFRepositoryAPI; empty: the access key's",
        default=None,
    )
    username: str | None = part("USERNAME", "Self-hosted: the user's name", default=None)
    password: SecretStr | None = part("PASSWORD", "Self-hosted: the password", default=None)
    access_key: Annotated[AccessKey, BeforeValidator(_access_key)] | None = part(
        "ACCESS_KEY", "Cloud: access key of the service app, as exported", default=None
    )
    service_key: SecretStr | None = part(
        "SERVICE_KEY", "Cloud: key of the service principal", default=None
    )
    token_url: Address | None = part(
        "TOKEN_URL", "Cloud: where tokens are given out; empty: the access key's", default=None
    )
    one_task: bool = part(
        "ONE_TASK", "Whether the account may run but one long operation at a time", default=False
    )
    folder: int | None = part(
        "FOLDER", "Entry id of a folder whose documents are archived", default=None, ge=1
    )
    search: str | None = part(
        "SEARCH", "Search command; the documents that it finds are archived", default=None
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        self_hosted = (self.url, self.username, self.password)
        cloud = (self.access_key, self.service_key)
        if (all(self_hosted) and not any(cloud)) or (
            all(cloud) and not any((self.username, self.password))
        ):
            return self
        begin = self.variable("")
        raise ValueError(
            f"{begin}URL, {begin}USERNAME and {begin}PASSWORD are set for a self-hosted server,"
            f" {begin}ACCESS_KEY and {begin}SERVICE_KEY for the cloud: one of them, and whole"
        )

    def variable(self, suffix: str) -> str:
        """The account's variable that ends so."""
        return f"{PREFIX}{infix(self.name)}{suffix}"

    @property
    def base_url(self) -> str:
        """What stands before `/v2/Repositories` (FACTS 2.1)."""
        if self.url is None and self.access_key is not None:
            return f"https://api.{self.access_key.domain}/repository"
        return self.url or ""
