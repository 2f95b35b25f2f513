"""A throw-away nginx with WebDAV's PUT and DELETE, which knows no condition on a PUT."""

import os
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

from export_pipeline.demo.ports import LOOPBACK, free_ports
from export_pipeline_tests.servers.ports import held

HOW_TO_GET_IT = "no nginx with WebDAV here: `apt-get install nginx-light`, or put nginx on PATH"
START_SECONDS = 60.0
USERNAME, PASSWORD = "arch", "pass-word of nginx"
_SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin"
_folder_numbers = count(1)
_CONFIGURATION = """
daemon off;
{user}
worker_processes 2;
pid {folder}/pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address};
        root {folder}/files;
        auth_basic archive;
        auth_basic_user_file {folder}/users;
        dav_methods PUT DELETE;
        create_full_put_path on;
        location /small/ {{ client_max_body_size 1k; }}
        location /read-only/ {{ dav_methods off; }}
    }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A running server: everything below `url` may be written with the password."""

    url: str
    files: Path

    def variables(self, password: str = PASSWORD) -> dict[str, str]:
        """The environment variables that make it the store."""
        return {"EXPORT_HTTP_USERNAME": USERNAME, "EXPORT_HTTP_PASSWORD": password}

    def new_folder(self) -> str:
        """Return the URL of an empty folder, which the server makes at the first PUT."""
        return f"{self.url}/folder-{next(_folder_numbers)}"


def find_nginx() -> str | None:
    """The server's program, None where it is not installed."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:{_SYSTEM_FOLDERS}")


@contextmanager
def running_nginx(program: str) -> Iterator[Nginx]:
    """Start a server in a new folder on a free port, end and delete it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="nginx-"))
    (folder / "files").mkdir()
    (folder / "users").write_text(f"{USERNAME}:{{PLAIN}}{PASSWORD}\n")
    (port,) = free_ports(1)
    address = f"{LOOPBACK}:{port}"
    # Started as root, its workers would give their rights up and could not write here.
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = _CONFIGURATION.format(folder=folder, address=address, user=user)
    (folder / "nginx.conf").write_text(configuration)
    with held(port), (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [program, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"],
            stdout=log,
            stderr=log,
        )
        try:
            _wait(server, address, folder / "log")
            yield Nginx(f"http://{address}", folder / "files")
        finally:
            # Not killed: its workers would outlive it.
            server.terminate()
            server.wait()
            shutil.rmtree(folder)


def _wait(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    host, _, port = address.partition(":")
    while True:
        assert server.poll() is None, log.read_text()
        try:
            socket.create_connection((host, int(port))).close()
        except ConnectionError:
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.02)
        else:
            return
