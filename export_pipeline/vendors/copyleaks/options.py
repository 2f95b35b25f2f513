"""Copyleaks's variables: its hosts, its limits, what its scans have, and each account's login."""

import re
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, SecretStr

from export_pipeline.vendors.copyleaks.artifacts import KIND_NAMES
from export_pipeline.vendors.copyleaks.requests import DEFAULT_UPLOAD_TRIES, MAX_UPLOAD_TRIES
from export_pipeline.vendors.fields import base_address
from export_pipeline.vendors.options import VendorAccount, VendorOptions, part, variable

PREFIX = "EXPORT_COPYLEAKS_"
EXPORTS_PER_MINUTE = 10
REQUESTS_PER_SECOND = 10
"""FACTS 1.8: of an account; export calls have both limits."""
_SEPARATORS = re.compile(r"[,\s]+")


def _words(value: Any) -> Any:
    return tuple(_SEPARATORS.split(value.strip(", "))) if isinstance(value, str) else value


def _kinds(names: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [name for name in names if name not in KIND_NAMES]:
        raise ValueError(
            f"{', '.join(map(repr, unknown))} is no artifact: use {', '.join(KIND_NAMES)}"
        )
    return names


Address = Annotated[str, base_address("https://api.copyleaks.com", "/v3")]


class CopyleaksOptions(VendorOptions):
    """What can be set of Copyleaks beside its accounts."""

    prefix: ClassVar[str] = PREFIX

    artifacts: Annotated[tuple[str, ...], BeforeValidator(_words), AfterValidator(_kinds)] = (
        variable(
            PREFIX + "ARTIFACTS",
            "Artifacts that every scan has where its own record does not say; empty: unknown",
            default=(),
        )
    )
    exports_per_minute: int = variable(
        PREFIX + "EXPORTS_PER_MINUTE",
        "Copyleaks's limit on export calls",
        default=EXPORTS_PER_MINUTE,
        gt=0,
    )
    requests_per_second: int = variable(
        PREFIX + "REQUESTS_PER_SECOND",
        "Copyleaks's limit on all calls",
        default=REQUESTS_PER_SECOND,
        gt=0,
    )
    max_retries: int = variable(
        PREFIX + "MAX_RETRIES",
        "Uploads that Copyleaks tries per artifact",
        default=DEFAULT_UPLOAD_TRIES,
        ge=1,
        le=MAX_UPLOAD_TRIES,
    )
    api_url: Address = variable(
        PREFIX + "API_URL", "Copyleaks's API", default="https://api.copyleaks.com"
    )
    login_url: Address = variable(
        PREFIX + "LOGIN_URL", "Copyleaks's login", default="https://id.copyleaks.com"
    )


class CopyleaksAccount(VendorAccount):
    """One account's credentials."""

    email: str = part("EMAIL", "E-mail address of the login")
    key: SecretStr = part("KEY", "API key of the login")
