"""Which server is ours: the host keys that are known, and the one that was shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.public_key import get_default_public_key_algs

from export_pipeline.errors import ConfigError
from export_pipeline.storage.sftp.options import SftpOptions
from export_pipeline.storage.sftp.place import DEFAULT_PORT

DEFAULT_KNOWN_HOSTS = Path("~/.ssh/known_hosts")


@dataclass(frozen=True)
class Trust:
    """Where the known host keys come from.

    Args:
        is_checked: False: any key is taken.
        keys: those that were set; if none, the file's.
        file: in the format of known_hosts, which OpenSSH's `sshd(8)` describes.
        source: what to change, where the server has a new key.
    """

    is_checked: bool
    keys: tuple[asyncssh.SSHKey, ...]
    file: Path
    source: str

    def known(self) -> Any:
        """Return what asyncssh compares with, None for nothing; reads the file.

        Raises:
            ConfigError: the file cannot be read.
        """
        if not self.is_checked:
            return None
        if self.keys:
            return list(self.keys), [], []
        file = self.file.expanduser()
        if self.file == DEFAULT_KNOWN_HOSTS and not file.exists():
            return [], [], []
        try:
            return asyncssh.read_known_hosts(str(file))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigError(f"EXPORT_SFTP_KNOWN_HOSTS: {file} cannot be read: {reason}") from None


def find_trust(options: SftpOptions) -> Trust:
    """Read which host keys are known.

    Raises:
        ConfigError: EXPORT_SFTP_HOST_KEY is no key, or EXPORT_SFTP_KNOWN_HOSTS no such file.
    """
    file = options.known_hosts or DEFAULT_KNOWN_HOSTS
    source = "EXPORT_SFTP_HOST_KEY" if options.host_key else str(file)
    keys = tuple(_public_key(line) for line in (options.host_key or "").splitlines() if line)
    trust = Trust(options.host_key_checking, keys, file, source)
    if options.known_hosts:
        trust.known()
    return trust


def _public_key(line: str) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_public_key(line)
    except asyncssh.KeyImportError:
        raise ConfigError(
            "EXPORT_SFTP_HOST_KEY: write a public key such as `ssh-ed25519 AAAA...`, as the server"
            " has it in /etc/ssh/ssh_host_ed25519_key.pub; several one a line"
        ) from None


@dataclass
class Handshake(asyncssh.SSHClient):
    """Watches one connection begin, so that a refused host key can be told.

    Args:
        known: see `Trust.known`.
        expected: the keys known of this server.
        shown: the key that it showed and that is none of them.
    """

    known: Any
    expected: Sequence[asyncssh.SSHKey] = ()
    shown: asyncssh.SSHKey | None = None

    def arguments(self, host: str, port: int) -> dict[str, Any]:
        """Return asyncssh's arguments."""
        watching = {"client_factory": lambda: self}
        if self.known is None:
            return {**watching, "known_hosts": None}
        kinds = self._kinds(host, port)
        return {**watching, "known_hosts": self.match, "server_host_key_algs": kinds}

    def _kinds(self, host: str, port: int) -> Sequence[str]:
        """Return the kinds of host key to ask for: those known first, as OpenSSH does.

        asyncssh alone would ask for no others, and a server that has them hangs up without a word.
        Empty, for all, where the server is known by its address or by who signed its key.
        """
        unusual_port = None if port == DEFAULT_PORT else port
        keys = asyncssh.match_known_hosts(self.known, host, "", unusual_port)[0]
        known = [kind.decode() for key in keys for kind in key.sig_algorithms]
        others = [kind.decode() for kind in get_default_public_key_algs()]
        return list(dict.fromkeys(known + others)) if known else ()

    def match(self, host: str, addr: str, port: int | None) -> Any:
        """Find what is known of a server; asyncssh asks for it."""
        matched = asyncssh.match_known_hosts(self.known, host, addr, port)
        self.expected = matched[0]
        return matched

    def validate_host_public_key(
        self,
        host: str,  # noqa: ARG002  asyncssh's signature
        addr: str,  # noqa: ARG002
        port: int,  # noqa: ARG002
        key: asyncssh.SSHKey,
    ) -> bool:
        """Refuse a key that is not known; asyncssh calls it with such keys alone."""
        self.shown = key
        return False
