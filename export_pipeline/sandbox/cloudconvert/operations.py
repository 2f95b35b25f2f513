"""What each operation may be told: seed 003 for exports, FACTS 4.4 for imports."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Kind = Literal["string", "boolean", "integer", "array", "input"]

ACLS = (
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
)
ENCRYPTIONS = ("AES256", "aws:kms")


class Argument(NamedTuple):
    """One argument; `unless` names those that do in its place, `choices` all its values."""

    kind: Kind = "string"
    required: bool = False
    unless: str = ""
    choices: tuple[str, ...] = ()


class Operation(NamedTuple):
    """The arguments of an operation, and pairs of which one excludes the other.

    `open`: it may have others too, as conversions have by their formats and engines.
    """

    arguments: Mapping[str, Argument]
    excluding: tuple[tuple[str, str], ...] = ()
    open: bool = False


TEXT, NEEDED, FLAG = Argument(), Argument(required=True), Argument("boolean")
TABLE = Argument("array")
INPUT = Argument("input", required=True)

_S3 = {
    "bucket": NEEDED,
    "region": NEEDED,
    "endpoint": TEXT,
    "key": TEXT,
    "key_prefix": TEXT,
    "access_key_id": NEEDED,
    "secret_access_key": NEEDED,
    "session_token": TEXT,
}
_AZURE = {
    "storage_account": NEEDED,
    "storage_access_key": Argument(unless="sas_token"),
    "sas_token": TEXT,
    "container": NEEDED,
    "blob": TEXT,
    "blob_prefix": TEXT,
}
_FILE = {"file": TEXT, "file_prefix": TEXT}
_GOOGLE = {
    "project_id": NEEDED,
    "bucket": NEEDED,
    "client_email": NEEDED,
    "private_key": NEEDED,
    **_FILE,
}
_OPENSTACK = {
    "auth_url": NEEDED,
    "username": NEEDED,
    "password": NEEDED,
    "region": NEEDED,
    "tenant_name": TEXT,
    "container": NEEDED,
    **_FILE,
}
_SFTP = {
    "host": NEEDED,
    "port": Argument("integer"),
    "username": NEEDED,
    "password": Argument(unless="private_key"),
    "private_key": TEXT,
    "file": TEXT,
    "path": TEXT,
}
_S3_OBJECT = {
    "acl": Argument(choices=ACLS),
    "cache_control": TEXT,
    "content_disposition": TEXT,
    "content_type": TEXT,
    "metadata": TABLE,
    "server_side_encryption": Argument(choices=ENCRYPTIONS),
    "tagging": TABLE,
}
_NAMED = {"filename": TEXT}
_KEYS, _BLOBS, _FILES = ("key", "key_prefix"), ("blob", "blob_prefix"), ("file", "file_prefix")
_FILE_OR_PATH = ("file", "path")


def _import(store: Mapping[str, Argument], naming: tuple[str, str]) -> Operation:
    """The import that mirrors an export to a store: what to bring must be named."""
    name, prefix = naming
    return Operation({**store, name: Argument(unless=prefix), **_NAMED}, (naming,))


EXPORTS = {
    "export/url": Operation({"input": INPUT, "inline": FLAG, "archive_multiple_files": FLAG}),
    "export/s3": Operation({"input": INPUT, **_S3, **_S3_OBJECT}, (_KEYS,)),
    "export/azure/blob": Operation({"input": INPUT, **_AZURE, "metadata": TABLE}, (_BLOBS,)),
    "export/google-cloud-storage": Operation({"input": INPUT, **_GOOGLE}, (_FILES,)),
    "export/openstack": Operation({"input": INPUT, **_OPENSTACK}, (_FILES,)),
    "export/sftp": Operation({"input": INPUT, **_SFTP}, (_FILE_OR_PATH,)),
    "export/upload": Operation({"input": INPUT, "url": NEEDED, "headers": TABLE}),
}
IMPORTS = {
    "import/url": Operation({"url": NEEDED, "headers": TABLE, **_NAMED}),
    "import/upload": Operation({"redirect": TEXT}),
    "import/base64": Operation({"file": NEEDED, "filename": NEEDED}),
    "import/raw": Operation({"file": NEEDED, "filename": NEEDED}),
    "import/s3": _import(_S3, _KEYS),
    "import/azure/blob": _import(_AZURE, _BLOBS),
    "import/google-cloud-storage": _import(_GOOGLE, _FILES),
    "import/openstack": _import(_OPENSTACK, _FILES),
    "import/sftp": _import(_SFTP, _FILE_OR_PATH),
}
_FORMAT = Argument(required=True)
CONVERSIONS = {
    "convert": Operation({"input": INPUT, "output_format": _FORMAT, **_NAMED}, open=True),
    "merge": Operation({"input": INPUT, "output_format": _FORMAT, **_NAMED}, open=True),
    "archive": Operation({"input": INPUT, "output_format": _FORMAT, **_NAMED}, open=True),
}
OPERATIONS: Mapping[str, Operation] = {**EXPORTS, **IMPORTS, **CONVERSIONS}
