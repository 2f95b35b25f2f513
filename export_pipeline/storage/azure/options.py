"""What can be set for Azure (seed 003, `export/azure/blob`), each by one environment variable."""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, SecretStr, model_validator

from export_pipeline.storage.azure.place import PUBLIC_DOMAIN, Place
from export_pipeline.storage.options import (
    JsonObject,
    StoreOptions,
    header_value,
    split_url,
    variable,
)

MAX_METADATA_BYTES = 8 * 1024
"""Names and values of a blob's metadata together (Azure: "Setting and retrieving ... metadata")."""
METADATA_PREFIX = "x-ms-meta-"
_METADATA_NAME = re.compile(r"[a-z_][a-z0-9_]*")

_ONE = "EXPORT_AZURE_ACCESS_KEY and EXPORT_AZURE_SAS_TOKEN: set only one of them"
_PLAIN = (
    "EXPORT_AZURE_ENDPOINT: an identity's token is never sent over plain HTTP: write https://, or"
    " set EXPORT_AZURE_ACCESS_KEY or EXPORT_AZURE_SAS_TOKEN"
)
_PROTOCOL = "EXPORT_AZURE_SAS_TOKEN allows HTTPS only: write https:// in EXPORT_AZURE_ENDPOINT"
_LENT_ONE = (
    "EXPORT_CLOUDCONVERT_AZURE_ACCESS_KEY and EXPORT_CLOUDCONVERT_AZURE_SAS_TOKEN:"
    " set only one of them"
)
_LENT_OWN = (
    "EXPORT_CLOUDCONVERT_AZURE_ACCESS_KEY and EXPORT_CLOUDCONVERT_AZURE_SAS_TOKEN: the archive's"
    " own are never given to a vendor: make a SAS token that may only create blobs"
)
_LENT_ENDPOINT = (
    f"EXPORT_AZURE_ENDPOINT: CloudConvert writes to {PUBLIC_DOMAIN} only: unset it, or"
    " EXPORT_CLOUDCONVERT_AZURE_ACCESS_KEY and EXPORT_CLOUDCONVERT_AZURE_SAS_TOKEN"
)


def _service(url: str) -> str:
    parts = split_url(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"write it as https://account.{PUBLIC_DOMAIN}, or as an emulator's is")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("write only the address: credentials have their own variables")
    return url.rstrip("/")


def _key(key: SecretStr) -> SecretStr:
    try:
        base64.b64decode(key.get_secret_value(), validate=True)
    except binascii.Error:
        raise ValueError("it is not base64: copy it whole") from None
    return key


def _token(token: SecretStr) -> SecretStr:
    bare = header_value(token.get_secret_value().removeprefix("?"))
    if not parse_qs(bare).get("sig"):
        raise ValueError("it has no signature: write it as sv=...&se=...&sig=...")
    _ends(bare)
    return SecretStr(bare)


def _ends(token: str) -> float | None:
    ends = parse_qs(token).get("se")
    if ends is None:
        return None
    try:
        moment = datetime.fromisoformat(ends[0])
    except ValueError:
        raise ValueError("its end (se) is no time that can be read") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _metadata(metadata: Mapping[str, str]) -> Mapping[str, str]:
    bare = {name.lower().removeprefix(METADATA_PREFIX): value for name, value in metadata.items()}
    for name, value in bare.items():
        if not _METADATA_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for Azure: use letters, digits and _")
        header_value(value)
    if sum(len(name) + len(value) for name, value in bare.items()) > MAX_METADATA_BYTES:
        raise ValueError(f"names and values are over Azure's {MAX_METADATA_BYTES} bytes together")
    return bare


AccountKeyText = Annotated[SecretStr, AfterValidator(_key)]
SasTokenText = Annotated[SecretStr, AfterValidator(_token)]


class AzureOptions(StoreOptions):
    """Azure's options. With neither key nor SAS token, Azure's default chain finds an identity."""

    prefixes = ("EXPORT_AZURE_", "EXPORT_CLOUDCONVERT_AZURE_")

    endpoint: Annotated[str, AfterValidator(_service)] | None = variable(
        "EXPORT_AZURE_ENDPOINT",
        "Address of the account's blob service; empty: in Azure's public cloud",
    )
    access_key: AccountKeyText | None = variable(
        "EXPORT_AZURE_ACCESS_KEY",
        "The storage account's access key; empty: a SAS token, or an identity of this machine",
    )
    sas_token: SasTokenText | None = variable(
        "EXPORT_AZURE_SAS_TOKEN",
        "SAS token of the container or account (rcwdl, where it keeps versions x too); with it"
        " vendors go through the receiver",
    )
    metadata: Annotated[JsonObject, AfterValidator(_metadata)] = variable(
        "EXPORT_AZURE_METADATA", "Metadata of every blob, a JSON object", default={}
    )
    cloudconvert_access_key: AccountKeyText | None = variable(
        "EXPORT_CLOUDCONVERT_AZURE_ACCESS_KEY",
        "Access key for CloudConvert to write with (export/azure/blob); empty: it gets none",
    )
    cloudconvert_sas_token: SasTokenText | None = variable(
        "EXPORT_CLOUDCONVERT_AZURE_SAS_TOKEN",
        "SAS token made for CloudConvert to write with, instead of an access key",
    )

    @model_validator(mode="after")
    def _possible(self) -> "AzureOptions":
        problem = next((words for words, is_wrong in self._combinations().items() if is_wrong), "")
        if problem:
            raise ValueError(problem)
        return self

    def _combinations(self) -> Mapping[str, bool]:
        lent = {self.cloudconvert_access_key, self.cloudconvert_sas_token} - {None}
        is_plain = bool(self.endpoint and self.endpoint.startswith("http://"))
        host = urlsplit(self.endpoint or "").hostname or PUBLIC_DOMAIN
        return {
            _ONE: bool(self.access_key and self.sas_token),
            _PLAIN: is_plain and not self.access_key and not self.sas_token,
            _PROTOCOL: is_plain and _asked(self.sas_token, "spr") == "https",
            _LENT_ONE: len(lent) > 1,
            _LENT_OWN: bool(lent & {self.access_key, self.sas_token}),
            _LENT_ENDPOINT: bool(lent) and not host.endswith(PUBLIC_DOMAIN),
        }

    @property
    def sas_ends(self) -> float | None:
        """When the SAS token ends, in seconds since the epoch; None if it does not say."""
        return _ends(self.sas_token.get_secret_value()) if self.sas_token else None

    def headers(self) -> dict[str, str]:
        """Return the headers that give a new blob what is set here; names in lower case."""
        return {METADATA_PREFIX + name: value for name, value in self.metadata.items()}

    def cloudconvert(self, place: Place, blob: str) -> Mapping[str, object] | None:
        """Return CloudConvert's arguments for `export/azure/blob` (seed 003).

        None without credentials of its own.
        """
        if not self.cloudconvert_access_key and not self.cloudconvert_sas_token:
            return None
        arguments = {
            "storage_account": place.account,
            "storage_access_key": _bare(self.cloudconvert_access_key),
            "sas_token": _bare(self.cloudconvert_sas_token),
            "container": place.container,
            "blob": blob,
            "metadata": dict(self.metadata),
        }
        return {name: value for name, value in arguments.items() if value}


def _asked(token: SecretStr | None, name: str) -> str:
    return parse_qs(_bare(token) or "").get(name, [""])[0]


def _bare(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
