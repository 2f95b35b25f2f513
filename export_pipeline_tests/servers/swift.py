"""A throw-away OpenStack Swift with its Keystone: the real ones, on one disk."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil

from export_pipeline.demo.ports import LOOPBACK, free_ports
from export_pipeline_tests.servers.keystone import (
    ARCHIVER,
    PROJECT,
    REGION,
    START_SECONDS,
    environment_of,
    log_in,
    running_keystone,
)
from export_pipeline_tests.servers.ports import held
from export_pipeline_tests.servers.swift_config import STORAGE, write_configs

TEMPURL_KEY = "key-of-the-containers"
_PROGRAM = Path(__file__).with_name("swift_process.py")
_container_numbers = count(1)


@dataclass(frozen=True)
class Swift:
    """A running server; the archiver may do everything in its project, the reader read.

    Args:
        url: of the project's account.
        auth_url: of Keystone.
        client: the archiver's, to look at a container without our own code.
    """

    url: str
    auth_url: str
    client: httpx.Client

    def variables(self, user: tuple[str, str] = ARCHIVER) -> dict[str, str]:
        """The environment variables that make it the store."""
        return {
            "EXPORT_SWIFT_AUTH_URL": self.auth_url,
            "EXPORT_SWIFT_REGION": REGION,
            "EXPORT_SWIFT_TENANT_NAME": PROJECT,
            "EXPORT_SWIFT_USERNAME": user[0],
            "EXPORT_SWIFT_PASSWORD": user[1],
            "EXPORT_SWIFT_TEMPURL_KEY": TEMPURL_KEY,
        }

    def new_container(self) -> str:
        """Make an empty container with our TempURL key, return its name."""
        name = f"Container {next(_container_numbers)}"
        headers = {"X-Container-Meta-Temp-URL-Key": TEMPURL_KEY}
        self.client.put(self.address(name), headers=headers).raise_for_status()
        return name

    def address(self, container: str, name: str = "") -> str:
        """The URL of a container, or of an object in it."""
        return f"{self.url}/{quote(container)}" + (f"/{quote(name)}" if name else "")

    def names(self, container: str) -> list[str]:
        """Every object in a container, those that our own code hides too."""
        answer = self.client.get(self.address(container), params={"format": "json"})
        return [found["name"] for found in answer.raise_for_status().json()]


@contextmanager
def running_swift(installation: Path) -> Iterator[Swift]:
    """Start all servers in a new folder on free ports, kill and delete them afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="swift-"))
    keystone, proxy, *storage = free_ports(2 + len(STORAGE))
    ports = {"proxy": proxy, **dict(zip(STORAGE, storage, strict=True))}
    auth_url, url = f"http://{LOOPBACK}:{keystone}", f"http://{LOOPBACK}:{proxy}"
    with ExitStack() as running:
        running.callback(shutil.rmtree, folder)
        running.enter_context(held(keystone, proxy, *storage))
        write_configs(folder, ports, auth_url)
        running.enter_context(_processes(installation, folder, ports))
        running.enter_context(running_keystone(installation, folder / "keystone", auth_url, url))
        token, addresses = log_in(auth_url, ARCHIVER)
        client = httpx.Client(headers={"X-Auth-Token": token}, timeout=START_SECONDS)
        swift = Swift(addresses["object-store"], auth_url, running.enter_context(client))
        _wait_for_a_container(swift, folder / "log")
        yield swift


@contextmanager
def _processes(installation: Path, folder: Path, ports: Mapping[str, int]) -> Iterator[None]:
    storage = [f"{name}={ports[name]}" for name in STORAGE]
    with (folder / "log").open("w") as log:
        first = subprocess.Popen(
            [installation / "bin" / "python", "-P", _PROGRAM, folder, *storage],
            stdout=log,
            stderr=log,
            env=environment_of(installation),
        )
    try:
        yield
    finally:
        # They leave its process group, so that only their parent tells which they are.
        for one in psutil.Process(first.pid).children():
            one.kill()
        first.kill()
        first.wait()


def _wait_for_a_container(swift: Swift, log: Path) -> None:
    """An open port says little: the servers behind the proxy may not be up yet."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            swift.client.put(swift.address("ready")).raise_for_status()
        except httpx.HTTPError:
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        else:
            return
