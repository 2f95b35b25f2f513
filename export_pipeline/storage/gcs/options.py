"""What can be set for Google Cloud Storage (seed 003, `export/google-cloud-storage`)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, SecretStr, model_validator

from export_pipeline.storage.options import Endpoint, Header, StoreOptions, variable

KEY_FIELDS = ("client_email", "private_key", "token_uri")
"""What Google's file of a service account's key has, besides `"type": "service_account"`."""

_BOTH = "EXPORT_GCS_KEY and EXPORT_GCS_KEY_FILE: set only one of them"
_SIGNING = (
    "EXPORT_GCS_SIGNING_ACCOUNT is for credentials without a key: a service account's key signs for"
    " its own account, so unset one of them"
)
_LENT = (
    "EXPORT_CLOUDCONVERT_GCS_PROJECT_ID, EXPORT_CLOUDCONVERT_GCS_CLIENT_EMAIL and"
    " EXPORT_CLOUDCONVERT_GCS_PRIVATE_KEY: set all or none"
)
_LENT_ENDPOINT = (
    "EXPORT_GCS_ENDPOINT cannot be told to CloudConvert, which writes to Google's own service:"
    " unset it or EXPORT_CLOUDCONVERT_GCS_CLIENT_EMAIL"
)


def service_account_key(text: str) -> Mapping[str, str]:
    """Read the JSON of a service account's key.

    Raises:
        ValueError: it is something else; the text never repeats it.
    """
    try:
        key = json.loads(text)
    except ValueError:
        raise ValueError("it is not JSON: give the whole file that Google made") from None
    if not isinstance(key, dict) or key.get("type") != "service_account":
        raise ValueError(
            "it is not the key of a service account; for other credentials, such as workload"
            " identity federation, set GOOGLE_APPLICATION_CREDENTIALS instead"
        )
    if missing := [name for name in KEY_FIELDS if not isinstance(key.get(name), str)]:
        raise ValueError(f"it has no {' and no '.join(missing)}: give the whole file")
    return key


def _key(secret: SecretStr) -> SecretStr:
    service_account_key(secret.get_secret_value())
    return secret


def _pem(secret: SecretStr) -> SecretStr:
    # Environment files hold no line breaks: there a key has them as \n, as in Google's JSON.
    text = secret.get_secret_value().replace("\\n", "\n")
    if not text.startswith("-----BEGIN "):
        raise ValueError("it is no private key: it begins with -----BEGIN PRIVATE KEY-----")
    return SecretStr(text)


class GcsOptions(StoreOptions):
    """GCS's options. Without a key, google-auth's default chain finds credentials."""

    prefixes = ("EXPORT_GCS_", "EXPORT_CLOUDCONVERT_GCS_")

    endpoint: Endpoint | None = variable(
        "EXPORT_GCS_ENDPOINT", "Address of an emulator or a private endpoint; empty: Google's"
    )
    key: Annotated[SecretStr, AfterValidator(_key)] | None = variable(
        "EXPORT_GCS_KEY",
        "Service account's key, the JSON itself; empty: Google's default chain, such as a machine's"
        " service account",
    )
    key_file: Path | None = variable("EXPORT_GCS_KEY_FILE", "File with that JSON, instead")
    signing_account: Header | None = variable(
        "EXPORT_GCS_SIGNING_ACCOUNT",
        "Service account as which IAM signs URLs, where the chain's credentials are not one",
    )
    cloudconvert_project_id: str | None = variable(
        "EXPORT_CLOUDCONVERT_GCS_PROJECT_ID",
        "Project of the service account made for CloudConvert (export/google-cloud-storage)",
    )
    cloudconvert_client_email: str | None = variable(
        "EXPORT_CLOUDCONVERT_GCS_CLIENT_EMAIL",
        "Its address; empty: CloudConvert gets no credentials",
    )
    cloudconvert_private_key: Annotated[SecretStr, AfterValidator(_pem)] | None = variable(
        "EXPORT_CLOUDCONVERT_GCS_PRIVATE_KEY", "Its private key, as `private_key` of its JSON"
    )

    @model_validator(mode="after")
    def _possible(self) -> "GcsOptions":
        problem = next((words for words, is_wrong in self._combinations().items() if is_wrong), "")
        if problem:
            raise ValueError(problem)
        return self

    def _combinations(self) -> Mapping[str, bool]:
        has_key = bool(self.key or self.key_file)
        lent = (
            self.cloudconvert_project_id,
            self.cloudconvert_client_email,
            self.cloudconvert_private_key,
        )
        return {
            _BOTH: bool(self.key and self.key_file),
            _SIGNING: bool(has_key and self.signing_account),
            _LENT: any(lent) and not all(lent),
            _LENT_ENDPOINT: bool(self.cloudconvert_client_email and self.endpoint),
        }

    def cloudconvert(self, bucket: str, name: str) -> Mapping[str, object] | None:
        """Return CloudConvert's arguments for `export/google-cloud-storage` (seed 003).

        None without credentials of its own.
        """
        if self.cloudconvert_private_key is None:
            return None
        return {
            "project_id": self.cloudconvert_project_id,
            "bucket": bucket,
            "client_email": self.cloudconvert_client_email,
            "private_key": self.cloudconvert_private_key.get_secret_value(),
            "file": name,
        }
