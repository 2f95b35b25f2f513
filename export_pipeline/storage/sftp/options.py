"""What can be set for SFTP (seed 003, `export/sftp`), each by one environment variable."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, model_validator

from export_pipeline.storage.options import StoreOptions, variable

_ONE_KEY = "EXPORT_SFTP_PRIVATE_KEY and EXPORT_SFTP_PRIVATE_KEY_FILE: set only one of them"
_KEYLESS = (
    "EXPORT_SFTP_PASSPHRASE belongs to an EXPORT_SFTP_PRIVATE_KEY or"
    " EXPORT_SFTP_PRIVATE_KEY_FILE: set one of them too"
)
_ONE_TRUST = "EXPORT_SFTP_HOST_KEY and EXPORT_SFTP_KNOWN_HOSTS: set only one of them"
_UNCHECKED = (
    "EXPORT_SFTP_HOST_KEY_CHECKING=false would not look at EXPORT_SFTP_HOST_KEY or"
    " EXPORT_SFTP_KNOWN_HOSTS: unset one or the other"
)
_LENT_LOGIN = (
    "EXPORT_CLOUDCONVERT_SFTP_USERNAME needs either EXPORT_CLOUDCONVERT_SFTP_PASSWORD or"
    " EXPORT_CLOUDCONVERT_SFTP_PRIVATE_KEY: set one of them"
)
_LENT_USER = (
    "EXPORT_CLOUDCONVERT_SFTP_USERNAME is not set, and without it CloudConvert is given nothing:"
    " set it, or unset the other EXPORT_CLOUDCONVERT_SFTP_ variables"
)
_LENT_OWN = (
    "EXPORT_CLOUDCONVERT_SFTP_PASSWORD: the archive's own password is never given to a vendor: make"
    " a user that may only write below .incoming/"
)

Port = Annotated[int, Field(ge=1, le=65_535)]


class SftpOptions(StoreOptions):
    """SFTP's options. Without password or key, ssh-agent and the keys in ~/.ssh are tried."""

    prefixes = ("EXPORT_SFTP_", "EXPORT_CLOUDCONVERT_SFTP_")

    password: SecretStr | None = variable("EXPORT_SFTP_PASSWORD", "Password of the URL's user")
    private_key: SecretStr | None = variable(
        "EXPORT_SFTP_PRIVATE_KEY",
        "Private key of the URL's user, its text; without it and password: ssh-agent and ~/.ssh",
    )
    private_key_file: Path | None = variable(
        "EXPORT_SFTP_PRIVATE_KEY_FILE", "The private key, as a file"
    )
    passphrase: SecretStr | None = variable(
        "EXPORT_SFTP_PASSPHRASE", "Passphrase of the private key"
    )
    host_key: str | None = variable(
        "EXPORT_SFTP_HOST_KEY", "Public key of the server, such as `ssh-ed25519 AAAA...`"
    )
    known_hosts: Path | None = variable(
        "EXPORT_SFTP_KNOWN_HOSTS", "File of known servers' keys; empty: ~/.ssh/known_hosts"
    )
    host_key_checking: bool = variable(
        "EXPORT_SFTP_HOST_KEY_CHECKING",
        "Whether only a server whose key is known is talked to; false gives the archive to anyone"
        " on the way",
        default=True,
    )
    create_only: bool = variable(
        "EXPORT_SFTP_CREATE_ONLY",
        "Whether the server's rename refuses a name that is taken; `check` proves it",
        default=True,
    )
    cloudconvert_username: str | None = variable(
        "EXPORT_CLOUDCONVERT_SFTP_USERNAME",
        "User made for CloudConvert to write with (export/sftp); empty: it gets none",
    )
    cloudconvert_password: SecretStr | None = variable(
        "EXPORT_CLOUDCONVERT_SFTP_PASSWORD", "Password of CloudConvert's user"
    )
    cloudconvert_private_key: SecretStr | None = variable(
        "EXPORT_CLOUDCONVERT_SFTP_PRIVATE_KEY",
        "Private key of CloudConvert's user, its text, without a passphrase",
    )
    cloudconvert_host: str | None = variable(
        "EXPORT_CLOUDCONVERT_SFTP_HOST", "The server as CloudConvert reaches it; empty: the URL's"
    )
    cloudconvert_port: Port | None = variable(
        "EXPORT_CLOUDCONVERT_SFTP_PORT", "Its port there; empty: the URL's"
    )
    cloudconvert_path: str | None = variable(
        "EXPORT_CLOUDCONVERT_SFTP_PATH",
        "The archive's folder as CloudConvert's user sees it; empty: the URL's",
    )

    @model_validator(mode="after")
    def _possible(self) -> "SftpOptions":
        problem = next((words for words, is_wrong in self._combinations().items() if is_wrong), "")
        if problem:
            raise ValueError(problem)
        return self

    def _combinations(self) -> Mapping[str, bool]:
        has_key = bool(self.private_key or self.private_key_file)
        is_told = bool(self.host_key or self.known_hosts)
        lent_password, lent_key = self.cloudconvert_password, self.cloudconvert_private_key
        lent_place = self.cloudconvert_host or self.cloudconvert_port or self.cloudconvert_path
        return {
            _ONE_KEY: bool(self.private_key and self.private_key_file),
            _KEYLESS: bool(self.passphrase and not has_key),
            _ONE_TRUST: bool(self.host_key and self.known_hosts),
            _UNCHECKED: is_told and not self.host_key_checking,
            _LENT_USER: bool(lent_password or lent_key or lent_place)
            and not self.cloudconvert_username,
            _LENT_LOGIN: bool(self.cloudconvert_username) and bool(lent_password) == bool(lent_key),
            _LENT_OWN: bool(lent_password) and lent_password == self.password,
        }

    def cloudconvert(
        self, host: str, port: int, folder: str, key: str
    ) -> Mapping[str, object] | None:
        """Return CloudConvert's arguments for `export/sftp` (seed 003), None without a user for it.

        Args:
            host, port, folder: of the archive, where CloudConvert's own are not set.
            key: of the object.
        """
        if not self.cloudconvert_username:
            return None
        its_folder = self.cloudconvert_path or folder
        arguments = {
            "host": self.cloudconvert_host or host,
            "port": self.cloudconvert_port or port,
            "username": self.cloudconvert_username,
            "password": bare(self.cloudconvert_password),
            "private_key": bare(self.cloudconvert_private_key),
            "file": f"{its_folder.rstrip('/')}/{key}",
        }
        return {name: value for name, value in arguments.items() if value}


def bare(secret: SecretStr | None) -> str | None:
    """Return the secret itself."""
    return secret.get_secret_value() if secret else None
