"""What can be set for HTTP PUT (seed 003, `export/upload`), each by one environment variable."""

import base64
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Secret, SecretStr, model_validator

from export_pipeline.storage.options import (
    JsonObject,
    StoreOptions,
    header_value,
    variable,
)

CREATE_ONLY = {"if-none-match": "*"}
"""Refused with 412 where there is an object already (RFC 9110, 13.1.2)."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_OURS = {"connection", "content-length", "expect", "host", "range", "transfer-encoding"}

_PAIR = "EXPORT_HTTP_USERNAME and EXPORT_HTTP_PASSWORD: set both or neither"
_COLON = "EXPORT_HTTP_USERNAME: basic authentication allows no colon in it (RFC 7617)"
_ONE = "EXPORT_HTTP_BEARER_TOKEN and EXPORT_HTTP_USERNAME: set only one of them"
_TWICE = (
    "EXPORT_HTTP_HEADERS has an Authorization: take it out, or unset EXPORT_HTTP_USERNAME,"
    " EXPORT_HTTP_PASSWORD and EXPORT_HTTP_BEARER_TOKEN"
)
_LENT_OWN = (
    "EXPORT_CLOUDCONVERT_HTTP_HEADERS: the archive's own headers are never given to a vendor: make"
    " a credential that may only PUT"
)
_LENT_CREATE_ONLY = (
    "EXPORT_CLOUDCONVERT_HTTP_HEADERS needs EXPORT_HTTP_CREATE_ONLY=true: what may replace objects"
    " is written through the receiver alone"
)


def _headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    named = {name.lower(): value for name, value in headers.items()}
    for name, value in named.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a header name: use letters, digits and -")
        if name in _OURS or name.startswith("if-"):
            raise ValueError(f"{name!r} is set with each request: take it out")
        header_value(value)
    return named


def _token(token: SecretStr) -> SecretStr:
    header_value(token.get_secret_value())
    return token


SecretHeaders = Secret[Annotated[JsonObject, AfterValidator(_headers)]]
SecretToken = Annotated[SecretStr, AfterValidator(_token)]


class HttpPutOptions(StoreOptions):
    """HTTP PUT's options: how to be let in, and whether the server keeps what it has."""

    prefixes = ("EXPORT_HTTP_", "EXPORT_CLOUDCONVERT_HTTP_")

    headers: SecretHeaders | None = variable(
        "EXPORT_HTTP_HEADERS", "Headers of every request, a JSON object"
    )
    username: str | None = variable("EXPORT_HTTP_USERNAME", "User name of basic authentication")
    password: SecretStr | None = variable("EXPORT_HTTP_PASSWORD", "Its password")
    bearer_token: SecretToken | None = variable(
        "EXPORT_HTTP_BEARER_TOKEN", "Token of bearer authentication"
    )
    create_only: bool = variable(
        "EXPORT_HTTP_CREATE_ONLY",
        "Whether the server refuses a second PUT with `If-None-Match: *`; `check` proves it",
        default=False,
    )
    cloudconvert_headers: SecretHeaders | None = variable(
        "EXPORT_CLOUDCONVERT_HTTP_HEADERS",
        "Headers made for CloudConvert to write with (export/upload), a JSON object; empty: it"
        " writes nothing",
    )

    @model_validator(mode="after")
    def _possible(self) -> "HttpPutOptions":
        problem = next((words for words, is_wrong in self._combinations().items() if is_wrong), "")
        if problem:
            raise ValueError(problem)
        return self

    def _combinations(self) -> Mapping[str, bool]:
        has_login = bool(self.username or self.bearer_token)
        lent = _bare(self.cloudconvert_headers)
        return {
            _PAIR: bool(self.username) != bool(self.password),
            _COLON: ":" in (self.username or ""),
            _ONE: bool(self.username and self.bearer_token),
            _TWICE: has_login and "authorization" in _bare(self.headers),
            _LENT_OWN: bool(lent.items() & self.own_headers().items()),
            _LENT_CREATE_ONLY: self.cloudconvert_headers is not None and not self.create_only,
        }

    def own_headers(self) -> dict[str, str]:
        """Return the headers that let us in, names in lower case."""
        headers = dict(_bare(self.headers))
        if self.bearer_token:
            headers["authorization"] = f"Bearer {self.bearer_token.get_secret_value()}"
        if self.username and self.password:
            login = f"{self.username}:{self.password.get_secret_value()}".encode()
            headers["authorization"] = f"Basic {base64.b64encode(login).decode()}"
        return headers

    def cloudconvert(self, url: str) -> Mapping[str, object] | None:
        """Return CloudConvert's arguments for `export/upload` (seed 003), None without headers."""
        if self.cloudconvert_headers is None:
            return None
        return {"url": url, "headers": {**_bare(self.cloudconvert_headers), **CREATE_ONLY}}


def _bare(headers: SecretHeaders | None) -> Mapping[str, str]:
    return headers.get_secret_value() if headers else {}
