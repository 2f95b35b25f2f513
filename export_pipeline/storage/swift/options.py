"""What can be set for Swift (seed 003, `export/openstack`), each by one environment variable."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, SecretStr, model_validator

from export_pipeline.storage.options import StoreOptions, split_url, variable

DEFAULT_DOMAIN = "Default"
"""The domain of what was made with Keystone v2, which had none (Keystone: "Identity concepts")."""
_VERSION = re.compile(r"/v[23](\.0)?$")

_NEEDED = (
    "EXPORT_SWIFT_AUTH_URL, EXPORT_SWIFT_USERNAME and EXPORT_SWIFT_PASSWORD: set all three: Swift"
    " has no default credentials"
)
_LENT_PAIR = (
    "EXPORT_CLOUDCONVERT_SWIFT_USERNAME and EXPORT_CLOUDCONVERT_SWIFT_PASSWORD: set both or neither"
)
_LENT_OWN = (
    "EXPORT_CLOUDCONVERT_SWIFT_USERNAME: the archive's own user is never given to a vendor: make"
    " one that may write into this container alone"
)
_LENT_REGION = "EXPORT_SWIFT_REGION: CloudConvert requires the container's region: set it"
_LENT_DOMAIN = (
    "EXPORT_SWIFT_PROJECT_DOMAIN cannot be told to CloudConvert: take a project of the domain"
    f" {DEFAULT_DOMAIN}, or unset EXPORT_CLOUDCONVERT_SWIFT_USERNAME"
)


def _auth_url(url: str) -> str:
    """Leave the version out, as CloudConvert wants it."""
    parts = split_url(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write it as https://host:5000 or https://host/identity")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("write only scheme, host, port and path: credentials have own variables")
    return _VERSION.sub("", url.rstrip("/"))


class SwiftOptions(StoreOptions):
    """Swift's options: user and project of Keystone v3, which v2 called a tenant."""

    prefixes = ("EXPORT_SWIFT_", "EXPORT_CLOUDCONVERT_SWIFT_")

    auth_url: Annotated[str, AfterValidator(_auth_url)] = variable(
        "EXPORT_SWIFT_AUTH_URL", "Address of Keystone, without a version", default=""
    )
    username: str = variable("EXPORT_SWIFT_USERNAME", "Name of the user", default="")
    password: SecretStr | None = variable("EXPORT_SWIFT_PASSWORD", "Password of the user")
    user_domain: str = variable(
        "EXPORT_SWIFT_USER_DOMAIN", "Domain of the user", default=DEFAULT_DOMAIN
    )
    tenant_name: str | None = variable(
        "EXPORT_SWIFT_TENANT_NAME", "Project (once: tenant) of the container; empty: the user's own"
    )
    project_domain: str = variable(
        "EXPORT_SWIFT_PROJECT_DOMAIN", "Domain of the project", default=DEFAULT_DOMAIN
    )
    region: str | None = variable(
        "EXPORT_SWIFT_REGION", "Region of the container; empty: the first"
    )
    interface: Literal["public", "internal", "admin"] = variable(
        "EXPORT_SWIFT_INTERFACE",
        "Which of Swift's addresses is used; what is signed for others has the public one",
        default="public",
    )
    tempurl_key: SecretStr | None = variable(
        "EXPORT_SWIFT_TEMPURL_KEY",
        "TempURL key of the container or account, to sign URLs with; empty: none is signed",
    )
    cloudconvert_username: str | None = variable(
        "EXPORT_CLOUDCONVERT_SWIFT_USERNAME",
        "User made for CloudConvert to write with (export/openstack); empty: it gets none",
    )
    cloudconvert_password: SecretStr | None = variable(
        "EXPORT_CLOUDCONVERT_SWIFT_PASSWORD", "Password of CloudConvert's user"
    )

    @model_validator(mode="after")
    def _possible(self) -> "SwiftOptions":
        problem = next((words for words, is_wrong in self._combinations().items() if is_wrong), "")
        if problem:
            raise ValueError(problem)
        return self

    def _combinations(self) -> Mapping[str, bool]:
        lent = self.cloudconvert_username
        return {
            _NEEDED: not (self.auth_url and self.username and self.password),
            _LENT_PAIR: bool(lent) != bool(self.cloudconvert_password),
            _LENT_OWN: bool(lent) and lent == self.username,
            _LENT_REGION: bool(lent and not self.region),
            _LENT_DOMAIN: bool(lent) and self.project_domain != DEFAULT_DOMAIN,
        }

    def login(self) -> Mapping[str, object]:
        """Return what Keystone is asked for a token with (Identity API v3, "password")."""
        user = {
            "name": self.username,
            "password": bare(self.password),
            "domain": {"name": self.user_domain},
        }
        identity = {"methods": ["password"], "password": {"user": user}}
        if self.tenant_name is None:
            return {"auth": {"identity": identity}}
        project = {"name": self.tenant_name, "domain": {"name": self.project_domain}}
        return {"auth": {"identity": identity, "scope": {"project": project}}}

    def cloudconvert(self, container: str, name: str) -> Mapping[str, object] | None:
        """Return CloudConvert's arguments for `export/openstack` (seed 003), None without a user.

        Args:
            container: the store's.
            name: of the object, with the store's prefix.
        """
        if not self.cloudconvert_username:
            return None
        arguments = {
            "auth_url": self.auth_url,
            "username": self.cloudconvert_username,
            "password": bare(self.cloudconvert_password),
            "region": self.region,
            "tenant_name": self.tenant_name,
            "container": container,
            "file": name,
        }
        return {name: value for name, value in arguments.items() if value}


def bare(secret: SecretStr | None) -> str:
    """Return the secret itself, "" if none is set."""
    return secret.get_secret_value() if secret else ""
