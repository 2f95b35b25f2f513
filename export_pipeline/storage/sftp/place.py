"""Where the archive lies on an SFTP server, and how its user is let in."""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, unquote

import asyncssh

from export_pipeline.errors import ConfigError, StoreError
from export_pipeline.storage.keys import require_key
from export_pipeline.storage.sftp.options import SftpOptions, bare

DEFAULT_PORT = 22
"""IANA's port of SSH."""


@dataclass(frozen=True)
class Place:
    """One folder of one user on one server.

    Args:
        host: name or address.
        port: of the SSH server.
        user: who logs in.
        folder: absolute, without a slash at its end; "" is the root.
    """

    host: str
    port: int
    user: str
    folder: str

    @property
    def address(self) -> str:
        """The server, as a URL has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORT else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The folder; the user is left out."""
        return f"sftp://{self.address}{quote(self.folder)}"


@dataclass(frozen=True)
class Login:
    """What the user proves itself with; nothing of it: ssh-agent and the keys in ~/.ssh.

    Args:
        password: "" for none.
        key: text of the private key, "" for none.
        passphrase: of the key; None if it has none.
        key_variable: where the key was set.
    """

    password: str = field(repr=False)
    key: str = field(repr=False)
    passphrase: str | None = field(repr=False)
    key_variable: str

    def arguments(self) -> dict[str, Any]:
        """Return asyncssh's arguments; may take seconds where the key has a passphrase.

        Raises:
            ConfigError: the key cannot be read.
        """
        if not self.password and not self.key:
            return {}
        keys = [self.private_key()] if self.key else None
        return {"password": self.password or None, "client_keys": keys, "agent_path": None}

    def private_key(self) -> asyncssh.SSHKey:
        """Read the private key.

        Raises:
            ConfigError: it cannot be read.
        """
        return read_private_key(self.key, self.passphrase, self.key_variable)

    @property
    def words(self) -> str:
        """What was tried, and where it is set."""
        if not self.password and not self.key:
            return "the keys of ssh-agent and ~/.ssh, as no EXPORT_SFTP_ variable has one"
        tried = []
        if self.key:
            fingerprint = self.private_key().get_fingerprint()
            tried.append(f"the key {fingerprint} of {self.key_variable}")
        if self.password:
            tried.append("the password of EXPORT_SFTP_PASSWORD")
        return " and ".join(tried)


def find_place(url: SplitResult) -> Place:
    """Read an `sftp://user@host:port/path` URL.

    Raises:
        ConfigError: it is another; the text never repeats it, as it may hold a password.
    """
    if not url.username or url.password is not None or url.query or url.fragment:
        raise ConfigError(_FORM)
    try:
        port, host = url.port, url.hostname
    except ValueError:
        raise ConfigError(_FORM) from None
    if not host:
        raise ConfigError(_FORM)
    path = unquote(url.path).strip("/")
    try:
        folder = f"/{require_key(path)}" if path else ""
    except StoreError as error:
        raise ConfigError(f"EXPORT_STORAGE_URL: the path {error}") from None
    return Place(host, port or DEFAULT_PORT, unquote(url.username), folder)


def find_login(options: SftpOptions) -> Login:
    """Read how the user is let in, and see that CloudConvert is lent another key.

    Raises:
        ConfigError: names the variable that cannot be used and why.
    """
    key, key_variable = bare(options.private_key) or "", "EXPORT_SFTP_PRIVATE_KEY"
    if options.private_key_file:
        key_variable = "EXPORT_SFTP_PRIVATE_KEY_FILE"
        key = _read_file(options.private_key_file, key_variable)
    login = Login(bare(options.password) or "", key, bare(options.passphrase), key_variable)
    # One with a passphrase takes up to seconds to read: at the first connection, in a thread.
    is_read = key and login.passphrase is None
    require_another(options, {login.private_key().public_data} if is_read else set())
    return login


def require_another(options: SftpOptions, own: Collection[bytes]) -> None:
    """See that the key lent to CloudConvert, if any, is none of our own.

    Args:
        own: the public halves of ours.

    Raises:
        ConfigError: it is one of them, or cannot be read.
    """
    lent = bare(options.cloudconvert_private_key)
    if lent and read_private_key(lent, None, _LENT_KEY).public_data in own:
        raise ConfigError(
            f"{_LENT_KEY}: the archive's own key is never given to a vendor: make another, of a"
            " user that may only write below .incoming/"
        )


@lru_cache(maxsize=16)
def read_private_key(text: str, passphrase: str | None, variable: str) -> asyncssh.SSHKey:
    """Read a private key, once, since one with a passphrase takes up to seconds.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return asyncssh.import_private_key(text, passphrase)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise ConfigError(f"{variable}: the private key cannot be read: {error}") from None


def _read_file(path: Path, variable: str) -> str:
    try:
        return path.expanduser().read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"{variable}: {path} cannot be read: {reason}") from None


_LENT_KEY = "EXPORT_CLOUDCONVERT_SFTP_PRIVATE_KEY"
_FORM = (
    "EXPORT_STORAGE_URL: write it as sftp://user@host/path or sftp://user@host:port/path; password,"
    " keys and options have variables of their own (EXPORT_SFTP_...)"
)
