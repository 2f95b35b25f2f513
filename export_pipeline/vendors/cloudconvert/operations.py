"""The seven ways in which CloudConvert exports files, with every argument of seed 003."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_serializer,
    model_validator,
)

SFTP_PORT = 22
_NUMBER = re.compile(r"%0?\d*d")
"""In a name: the number of each of several files, from 1, printf style."""

Text = Annotated[str, Field(min_length=1)]
SecretText = Annotated[SecretStr, Field(min_length=1)]
Input = Text | Annotated[tuple[Text, ...], Field(min_length=1)]
Acl = Literal[
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
]


class Export(BaseModel):
    """What all have in common.

    Args:
        input: the task whose files are exported, or several tasks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    operation: ClassVar[str]
    name_field: ClassVar[str] = ""
    """The argument that names the file, where there is one."""
    prefix_field: ClassVar[str] = ""
    """The argument in its place before which each file's own name is put."""
    numbers: ClassVar[bool] = False
    """Whether `%d` in the name is replaced."""

    input: Input

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if self.name and self.prefix:
            raise ValueError(f"{self.name_field} or {self.prefix_field}, not both")
        return self

    @property
    def name(self) -> str | None:
        """The name that the file gets, None where it keeps its own."""
        return getattr(self, self.name_field) if self.name_field else None

    @property
    def prefix(self) -> str | None:
        """What is put before the names of the files."""
        return getattr(self, self.prefix_field) if self.prefix_field else None

    @property
    def secrets(self) -> Iterator[str]:
        """What no text may repeat."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            inside = value.values() if isinstance(value, Mapping) else [value]
            yield from (_bare(one) for one in inside if isinstance(one, SecretStr))

    @property
    def inputs(self) -> frozenset[str]:
        """The tasks whose files are exported."""
        return frozenset([self.input] if isinstance(self.input, str) else self.input)

    @property
    def number(self) -> str | None:
        """What the vendor would replace in the name by a file's number, None if nothing."""
        found = _NUMBER.search(self.name or "") if self.numbers else None
        return found and found[0]

    def arguments(self) -> dict[str, Any]:
        """As the endpoint of the operation takes them, without what is not set."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_task(self) -> dict[str, Any]:
        """As a job takes it."""
        return {"operation": self.operation, **self.arguments()}

    def is_told_by(self, payload: Mapping[str, Any]) -> bool:
        """Whether a task of these arguments brings its files to the same place."""
        places = {self.name_field: self.name, self.prefix_field: self.prefix}
        return all(payload.get(field) == value for field, value in places.items() if field)

    @field_serializer("*", mode="wrap")
    def _as_sent(self, value: Any, handler: Any) -> Any:
        if isinstance(value, SecretStr):
            return _bare(value)
        if isinstance(value, Mapping):
            return {name: _bare(one) for name, one in value.items()}
        return handler(value)


def _bare(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


class ExportUrl(Export):
    """Temporary URLs, of each file or of one ZIP."""

    operation = "export/url"

    inline: bool | None = None
    archive_multiple_files: bool | None = None

    def is_told_by(self, payload: Mapping[str, Any]) -> bool:
        """Whether a task of these arguments packs its files as this one does."""
        return bool(payload.get("archive_multiple_files")) == bool(self.archive_multiple_files)


class ExportS3(Export):
    """Amazon S3 and what is compatible with it."""

    operation = "export/s3"
    name_field = "key"
    prefix_field = "key_prefix"
    numbers = True

    bucket: Text
    region: Text
    endpoint: Text | None = None
    key: Text | None = None
    key_prefix: Text | None = None
    access_key_id: Text
    secret_access_key: SecretText
    session_token: SecretText | None = None
    acl: Acl | None = None
    cache_control: Text | None = None
    content_disposition: Text | None = None
    content_type: Text | None = None
    metadata: Mapping[str, str] | None = None
    server_side_encryption: Text | None = None
    tagging: Mapping[str, str] | None = None


class ExportAzureBlob(Export):
    """A container of Azure Blob Storage."""

    operation = "export/azure/blob"
    name_field = "blob"
    prefix_field = "blob_prefix"
    numbers = True

    storage_account: Text
    storage_access_key: SecretText | None = None
    sas_token: SecretText | None = None
    container: Text
    blob: Text | None = None
    blob_prefix: Text | None = None
    metadata: Mapping[str, str] | None = None

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        _require_one(self, "storage_access_key", "sas_token")
        return self


class ExportGoogleCloudStorage(Export):
    """A bucket of Google Cloud Storage."""

    operation = "export/google-cloud-storage"
    name_field = "file"
    prefix_field = "file_prefix"

    project_id: Text
    bucket: Text
    client_email: Text
    private_key: SecretText
    file: Text | None = None
    file_prefix: Text | None = None


class ExportOpenStack(Export):
    """A container of OpenStack Swift."""

    operation = "export/openstack"
    name_field = "file"
    prefix_field = "file_prefix"

    auth_url: Text
    username: Text
    password: SecretText
    region: Text
    tenant_name: Text | None = None
    container: Text
    file: Text | None = None
    file_prefix: Text | None = None


class ExportSftp(Export):
    """A folder of an SFTP server."""

    operation = "export/sftp"
    name_field = "file"
    prefix_field = "path"

    host: Text
    port: int = Field(SFTP_PORT, ge=1, le=65535)
    username: Text
    password: SecretText | None = None
    private_key: SecretText | None = None
    file: Text | None = None
    path: Text | None = None

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        _require_one(self, "password", "private_key")
        return self


class ExportUpload(Export):
    """One PUT to any URL."""

    operation = "export/upload"
    name_field = "address"

    url: SecretText
    headers: Mapping[str, SecretStr] | None = None

    @property
    def address(self) -> str:
        """Where the one file goes."""
        return self.url.get_secret_value()

    def is_told_by(self, payload: Mapping[str, Any]) -> bool:
        """Whether a task of these arguments writes to the same URL, however that is signed."""
        return str(payload.get("url")).partition("?")[0] == self.address.partition("?")[0]


def _require_one(export: Export, *names: str) -> None:
    if sum(getattr(export, name) is not None for name in names) != 1:
        raise ValueError(f"set {' or '.join(names)}, one of them")


EXPORTS: Mapping[str, type[Export]] = {
    model.operation: model
    for model in (
        ExportUrl,
        ExportS3,
        ExportAzureBlob,
        ExportGoogleCloudStorage,
        ExportOpenStack,
        ExportSftp,
        ExportUpload,
    )
}
"""By operation."""
