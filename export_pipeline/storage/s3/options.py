"""What can be set for S3 (seed 003, `export/s3`), each by one environment variable."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlencode

from pydantic import AfterValidator, Field, SecretStr, model_validator

from export_pipeline.storage.options import (
    Endpoint,
    Header,
    JsonObject,
    Moment,
    StoreOptions,
    header_value,
    variable,
)

MAX_TAGS = 10
"""Tags on one object (Amazon S3 User Guide, "Categorizing your objects using tags")."""
MAX_TAG_CHARACTERS = (128, 256)
"""Characters of a tag's key and value (same page)."""
TAG_SIGNS = "+-=._:/@"
"""What tags may have besides letters, digits and spaces of any script (same page)."""
RESERVED_TAGS = "aws:"
"""With what keys of Amazon's own begin, in any case (same page)."""
MAX_METADATA_BYTES = 2048
"""Names and values of an object's own metadata together (S3 User Guide, "object metadata")."""
METADATA_PREFIX = "x-amz-meta-"
MAX_LOCK_DAYS = 36_500
"""Longest that a bucket's own retention may be (S3 API, "PutObjectLockConfiguration")."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")

_PAIR = "EXPORT_S3_ACCESS_KEY_ID and EXPORT_S3_SECRET_ACCESS_KEY: set both or neither"
_SESSION = "EXPORT_S3_SESSION_TOKEN belongs to an EXPORT_S3_ACCESS_KEY_ID: set that too"
_END = "EXPORT_S3_SESSION_EXPIRES says when EXPORT_S3_SESSION_TOKEN ends: set that too"
_PROFILE = "EXPORT_S3_PROFILE and EXPORT_S3_ACCESS_KEY_ID: set only one of them"
_KMS = "EXPORT_S3_KMS_KEY_ID needs EXPORT_S3_SERVER_SIDE_ENCRYPTION=aws:kms"
_LOCK = "EXPORT_S3_OBJECT_LOCK_MODE and EXPORT_S3_OBJECT_LOCK_DAYS: set both or neither"
_LENT_PAIR = (
    "EXPORT_CLOUDCONVERT_S3_ACCESS_KEY_ID and EXPORT_CLOUDCONVERT_S3_SECRET_ACCESS_KEY:"
    " set both or neither"
)
_LENT_SESSION = (
    "EXPORT_CLOUDCONVERT_S3_SESSION_TOKEN belongs to an EXPORT_CLOUDCONVERT_S3_ACCESS_KEY_ID:"
    " set that too"
)
LENT_OWN = (
    "EXPORT_CLOUDCONVERT_S3_ACCESS_KEY_ID: the archive's own key is never given to a vendor: make"
    " one that may only s3:PutObject below the prefix"
)
_LENT_KMS = (
    "EXPORT_S3_KMS_KEY_ID cannot be told to CloudConvert: make it the bucket's default key, or"
    " unset EXPORT_CLOUDCONVERT_S3_ACCESS_KEY_ID"
)
_LENT_REGION = "EXPORT_S3_REGION: CloudConvert requires the bucket's region: set it"
_LENT_CREATE_ONLY = (
    "EXPORT_CLOUDCONVERT_S3_ACCESS_KEY_ID needs EXPORT_S3_CREATE_ONLY=true: what may replace"
    " objects is written through the receiver alone"
)


def _metadata(metadata: Mapping[str, str]) -> Mapping[str, str]:
    bare = {name.lower().removeprefix(METADATA_PREFIX): value for name, value in metadata.items()}
    for name, value in bare.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a header name: use letters, digits and -")
        header_value(value)
    if sum(len(name) + len(value) for name, value in bare.items()) > MAX_METADATA_BYTES:
        raise ValueError(f"names and values are over S3's {MAX_METADATA_BYTES} bytes together")
    return bare


def _tags(tags: Mapping[str, str]) -> Mapping[str, str]:
    key_limit, value_limit = MAX_TAG_CHARACTERS
    if len(tags) > MAX_TAGS:
        raise ValueError(f"S3 takes {MAX_TAGS} tags at most")
    for key, value in tags.items():
        if not key or len(key) > key_limit or len(value) > value_limit:
            raise ValueError(
                f"tag {key!r}: S3 takes keys of 1 to {key_limit} and values of up to"
                f" {value_limit} characters"
            )
        if key.lower().startswith(RESERVED_TAGS):
            raise ValueError(f"tag {key!r}: Amazon keeps {RESERVED_TAGS} to itself")
        if wrong := [character for character in key + value if not _suits_tag(character)]:
            raise ValueError(
                f"tag {key!r}: S3 takes letters, digits, spaces and {TAG_SIGNS}, no {wrong[0]!r}"
            )
    return tags


def _suits_tag(character: str) -> bool:
    return character in TAG_SIGNS or unicodedata.category(character)[0] in {"L", "N", "Z"}


Acl = Literal[
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
]


class S3Options(StoreOptions):
    """S3's options. Without an access key, boto's default chain finds credentials (a role...)."""

    prefixes = ("EXPORT_S3_", "EXPORT_CLOUDCONVERT_S3_")

    endpoint: Endpoint | None = variable(
        "EXPORT_S3_ENDPOINT", "Address of an S3-compatible service; empty: Amazon's"
    )
    region: Header | None = variable("EXPORT_S3_REGION", "Region of the bucket")
    addressing_style: Literal["auto", "path", "virtual"] = variable(
        "EXPORT_S3_ADDRESSING_STYLE", "Bucket in the path or in the host name", default="auto"
    )
    profile: str | None = variable("EXPORT_S3_PROFILE", "Profile of ~/.aws to take, if not default")
    access_key_id: Header | None = variable(
        "EXPORT_S3_ACCESS_KEY_ID", "Access key id; empty: boto's default chain, such as a role"
    )
    secret_access_key: SecretStr | None = variable(
        "EXPORT_S3_SECRET_ACCESS_KEY", "Secret of the access key"
    )
    session_token: SecretStr | None = variable(
        "EXPORT_S3_SESSION_TOKEN", "Session token, where the access key is a temporary one (STS)"
    )
    session_expires: Moment | None = variable(
        "EXPORT_S3_SESSION_EXPIRES",
        "When the session token ends (ISO 8601); without it no URL is signed",
    )
    acl: Acl | None = variable("EXPORT_S3_ACL", "Canned ACL of every object")
    cache_control: Header | None = variable(
        "EXPORT_S3_CACHE_CONTROL", "Cache-Control of every object"
    )
    content_disposition: Header | None = variable(
        "EXPORT_S3_CONTENT_DISPOSITION", "Content-Disposition of every object"
    )
    content_type: Header | None = variable(
        "EXPORT_S3_CONTENT_TYPE",
        "Content-Type of every object, also of vendors' uploads (Copyleaks may send its own);"
        " empty: what each is sent with",
    )
    metadata: Annotated[JsonObject, AfterValidator(_metadata)] = variable(
        "EXPORT_S3_METADATA", "Metadata of every object, a JSON object", default={}
    )
    server_side_encryption: Literal["AES256", "aws:kms"] | None = variable(
        "EXPORT_S3_SERVER_SIDE_ENCRYPTION", "AES256 or aws:kms; empty: as the bucket says"
    )
    kms_key_id: Header | None = variable(
        "EXPORT_S3_KMS_KEY_ID", "KMS key for aws:kms; empty: the account's own for S3"
    )
    tagging: Annotated[JsonObject, AfterValidator(_tags)] = variable(
        "EXPORT_S3_TAGGING", "Tags of every object, a JSON object", default={}
    )
    object_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] | None = variable(
        "EXPORT_S3_OBJECT_LOCK_MODE",
        "Lock every archived object, in a bucket with object lock; then no upload is signed",
    )
    object_lock_days: Annotated[int, Field(ge=1, le=MAX_LOCK_DAYS)] | None = variable(
        "EXPORT_S3_OBJECT_LOCK_DAYS", "Days from its writing until a locked object may be deleted"
    )
    create_only: bool = variable(
        "EXPORT_S3_CREATE_ONLY",
        "Whether the store refuses a second write with `If-None-Match: *`; `check` proves it",
        default=True,
    )
    cloudconvert_access_key_id: Header | None = variable(
        "EXPORT_CLOUDCONVERT_S3_ACCESS_KEY_ID",
        "Access key id made for CloudConvert to write with (export/s3); empty: it gets none",
    )
    cloudconvert_secret_access_key: SecretStr | None = variable(
        "EXPORT_CLOUDCONVERT_S3_SECRET_ACCESS_KEY", "Secret of CloudConvert's access key"
    )
    cloudconvert_session_token: SecretStr | None = variable(
        "EXPORT_CLOUDCONVERT_S3_SESSION_TOKEN", "Session token of CloudConvert's access key"
    )

    @model_validator(mode="after")
    def _possible(self) -> "S3Options":
        problem = next((words for words, is_wrong in self._combinations().items() if is_wrong), "")
        if problem:
            raise ValueError(problem)
        return self

    def _combinations(self) -> Mapping[str, bool]:
        given, lent = self.access_key_id, self.cloudconvert_access_key_id
        lent_secret, lent_token = (
            self.cloudconvert_secret_access_key,
            self.cloudconvert_session_token,
        )
        return {
            _PAIR: bool(given) != bool(self.secret_access_key),
            _SESSION: bool(self.session_token and not given),
            _END: bool(self.session_expires and not self.session_token),
            _PROFILE: bool(given and self.profile),
            _KMS: bool(self.kms_key_id) and self.server_side_encryption != "aws:kms",
            _LOCK: bool(self.object_lock_mode) != bool(self.object_lock_days),
            _LENT_PAIR: bool(lent) != bool(lent_secret),
            _LENT_SESSION: bool(lent_token and not lent),
            LENT_OWN: bool(lent) and lent == given,
            _LENT_KMS: bool(lent and self.kms_key_id),
            _LENT_REGION: bool(lent and not self.region),
            _LENT_CREATE_ONLY: bool(lent and not self.create_only),
        }

    def headers(self, content_type: str | None = None) -> dict[str, str]:
        """Return the headers that give a new object what is set here; names in lower case.

        Args:
            content_type: of this object, where EXPORT_S3_CONTENT_TYPE does not say.
        """
        named = {
            "cache-control": self.cache_control,
            "content-disposition": self.content_disposition,
            "content-type": self.content_type or content_type,
            "x-amz-acl": self.acl,
            "x-amz-server-side-encryption": self.server_side_encryption,
            "x-amz-server-side-encryption-aws-kms-key-id": self.kms_key_id,
            "x-amz-tagging": urlencode(self.tagging),
        }
        own = {METADATA_PREFIX + name: value for name, value in self.metadata.items()}
        return {name: value for name, value in named.items() if value} | own

    def cloudconvert(self, bucket: str, key: str) -> Mapping[str, object] | None:
        """Return CloudConvert's arguments for `export/s3` (seed 003), None without its own key."""
        if not self.cloudconvert_access_key_id:
            return None
        arguments = {
            "bucket": bucket,
            "region": self.region,
            "endpoint": self.endpoint,
            "key": key,
            "access_key_id": self.cloudconvert_access_key_id,
            "secret_access_key": _bare(self.cloudconvert_secret_access_key),
            "session_token": _bare(self.cloudconvert_session_token),
            "acl": self.acl,
            "cache_control": self.cache_control,
            "content_disposition": self.content_disposition,
            "content_type": self.content_type,
            # With the prefix, as in the seed's own example.
            "metadata": {METADATA_PREFIX + name: text for name, text in self.metadata.items()},
            "server_side_encryption": self.server_side_encryption,
            "tagging": dict(self.tagging),
        }
        return {name: value for name, value in arguments.items() if value}


def _bare(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
