"""A throw-away OpenSSH server that speaks SFTP alone, run by a user without privileges."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncssh
import psutil

from export_pipeline.demo.ports import free_ports
from export_pipeline_tests.servers.ports import held

HOW_TO_GET_IT = "no OpenSSH server here: `apt-get install openssh-server`, or put sshd on PATH"
START_SECONDS = 60.0
UNPRIVILEGED_USER = "nobody"
LOOPBACK = "127.0.0.1"
_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
# Without it sshd would have to read the shadow passwords.
UsePAM yes
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
Subsystem sftp internal-sftp
ForceCommand internal-sftp
MaxStartups 100
"""
_archive_numbers = count(1)


@dataclass(frozen=True)
class SftpServer:
    """A running server.

    Args:
        port: on loopback.
        user: the one who may log in.
        files: a folder of that user's, at `/` of the URLs below `root`.
        root: path of `files` as the server shows it.
        host_key: its public key.
        private_key: the user's, in text.
    """

    port: int
    user: str
    files: Path
    root: str
    host_key: str
    private_key: str

    def variables(self) -> dict[str, str]:
        """The environment variables that make it the store."""
        return {
            "EXPORT_SFTP_PRIVATE_KEY": self.private_key,
            "EXPORT_SFTP_HOST_KEY": self.host_key,
        }

    def url(self, folder: Path, port: int | None = None) -> str:
        """The URL of an archive in a folder below `files`."""
        path = f"{self.root}/{folder.relative_to(self.files)}"
        return f"sftp://{self.user}@{LOOPBACK}:{port or self.port}{path}"

    def new_folder(self) -> Path:
        """Make an empty folder of the user's."""
        folder = self.files / f"archive-{next(_archive_numbers)}"
        folder.mkdir()
        shutil.chown(folder, self.files.owner(), self.files.group())
        return folder


def find_sshd() -> str | None:
    """The server's program, None where it is not installed."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def running_sshd(program: str) -> Iterator[SftpServer]:
    """Start a server on a free port, kill it with all its connections and delete it afterwards."""
    user = _unprivileged_user()
    # Not pytest's folder: only its owner may enter that.
    folder = Path(tempfile.mkdtemp(prefix="sshd-"))
    host, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    (folder / "files").mkdir()
    (folder / "host_key").write_bytes(host.export_private_key())
    (folder / "authorized_keys").write_bytes(client.export_public_key())
    server = SftpServer(
        port=free_ports(1)[0],
        user=user.pw_name,
        files=folder / "files",
        root=f"{folder}/files",
        host_key=host.export_public_key().decode(),
        private_key=client.export_private_key().decode(),
    )
    (folder / "config").write_text(_CONFIG.format(port=server.port, folder=folder))
    for path in (folder, *folder.iterdir()):
        path.chmod(0o700)
        os.chown(path, user.pw_uid, user.pw_gid)
    with held(server.port), (folder / "log").open("w") as log:
        # By its whole path, as it starts itself again for each connection.
        process = subprocess.Popen(
            [program, "-D", "-e", "-f", folder / "config"], stderr=log, **_as_user(user)
        )
        try:
            _wait_until_it_listens(server.port, process, folder / "log")
            yield server
        finally:
            family = psutil.Process(process.pid)
            for connection in (*family.children(recursive=True), family):
                connection.kill()
            process.wait()
            shutil.rmtree(folder)


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection((LOOPBACK, port)).close()
        except ConnectionRefusedError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        else:
            return


def _unprivileged_user() -> pwd.struct_passwd:
    return pwd.getpwnam(UNPRIVILEGED_USER) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def _as_user(user: pwd.struct_passwd) -> dict[str, object]:
    # As root it would let the tests read and write whatever they should be refused.
    if os.geteuid() != 0:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
