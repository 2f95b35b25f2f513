"""A throw-away Keystone, which knows who may use Swift."""

import os
import secrets
import shutil
import sqlite3
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

from export_pipeline.demo.ports import LOOPBACK, free_ports

START_SECONDS = 60.0
REGION = "RegionOne"
PROJECT = "archive"
ARCHIVER = ("archiver", "password-of-the-archiver")
READER = ("reader", "password-of-the-reader")
ADMINISTRATOR = ("admin", "password-of-the-administrator")
_SERVICES = ("identity", "object-store")
_KEY_BYTES = 32
_PROGRAM = Path(__file__).with_name("keystone_process.py")


def prepare_keystone(installation: Path) -> None:
    """Make the database that each server starts with, as that takes far longer than a start."""
    folder = _prepared(installation)
    keys = folder / "keys"
    keys.mkdir(parents=True, mode=0o700)
    for name in ("0", "1"):
        (keys / name).write_bytes(urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)))
    url = f"http://{LOOPBACK}:{free_ports(1)[0]}"
    manage = ["keystone-manage", "--config-file", _write_config(folder, url)]
    bootstrap = ["bootstrap", "--bootstrap-password", ADMINISTRATOR[1]]
    for command in (["db_sync"], bootstrap):
        subprocess.run([*manage, *command], check=True, env=environment_of(installation))
    with _running(installation, folder, url):
        _introduce(url)


@contextmanager
def running_keystone(installation: Path, folder: Path, url: str, storage: str) -> Iterator[None]:
    """Start a server at `url` that knows a Swift at `storage`; its files lie in a new `folder`."""
    shutil.copytree(_prepared(installation), folder)
    endpoints = zip((f"{url}/v3", f"{storage}/v1/AUTH_%(project_id)s"), _SERVICES, strict=True)
    with closing(sqlite3.connect(folder / "keystone.db")) as database, database:
        database.executemany(
            "UPDATE endpoint SET url = ?"
            " WHERE service_id = (SELECT id FROM service WHERE type = ?)",
            endpoints,
        )
    _write_config(folder, url)
    with _running(installation, folder, url):
        yield


def log_in(
    url: str, user: tuple[str, str], project: str = PROJECT
) -> tuple[str, Mapping[str, str]]:
    """Log a user in; return its token, and each service's type with its address."""
    domain = {"id": "default"}
    login = {"name": user[0], "password": user[1], "domain": domain}
    body = {
        "identity": {"methods": ["password"], "password": {"user": login}},
        "scope": {"project": {"name": project, "domain": domain}},
    }
    answer = httpx.post(f"{url}/v3/auth/tokens", json={"auth": body}, timeout=START_SECONDS)
    catalog = answer.raise_for_status().json()["token"]["catalog"]
    addresses = {one["type"]: one["endpoints"][0]["url"] for one in catalog}
    return answer.headers["X-Subject-Token"], addresses


def environment_of(installation: Path) -> dict[str, str]:
    """The environment in which the installation's programs run, without their warnings."""
    path = os.pathsep.join([str(installation / "bin"), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "PYTHONWARNINGS": "ignore"}


def _prepared(installation: Path) -> Path:
    return installation / "keystone"


def _write_config(folder: Path, url: str) -> Path:
    config = folder / "keystone.conf"
    config.write_text(
        f"""
[DEFAULT]
public_endpoint = {url}
log_file = {folder}/log
[database]
connection = sqlite:///{folder}/keystone.db
[fernet_tokens]
key_repository = {folder}/keys
[fernet_receipts]
key_repository = {folder}/keys
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = oslo_cache.dict
"""
    )
    return config


@contextmanager
def _running(installation: Path, folder: Path, url: str) -> Iterator[None]:
    with (folder / "output").open("w") as output:
        server = subprocess.Popen(
            # -P: the modules beside the program are ours and not the installation's.
            [installation / "bin" / "python", "-P", _PROGRAM, folder, url.rpartition(":")[2]],
            stdout=output,
            stderr=output,
            env=environment_of(installation),
        )
    try:
        _wait_for_an_answer(url, server, folder / "output")
        yield
    finally:
        server.kill()
        server.wait()


def _wait_for_an_answer(url: str, server: subprocess.Popen[bytes], output: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.get(f"{url}/v3", timeout=START_SECONDS)
        except httpx.TransportError:
            assert server.poll() is None, output.read_text()
            assert time.monotonic() < end, output.read_text()
            time.sleep(0.1)
        else:
            return


def _introduce(url: str) -> None:
    """Tell Keystone of the archive's project, who may use it, and that there is a Swift."""
    token, _ = log_in(url, ADMINISTRATOR, "admin")
    headers = {"X-Auth-Token": token}
    with httpx.Client(base_url=f"{url}/v3", headers=headers, timeout=START_SECONDS) as admin:

        def create(kind: str, **facts: Any) -> str:
            made = admin.post(f"/{kind}s", json={kind: facts}).raise_for_status()
            found: str = made.json()[kind]["id"]
            return found

        roles = admin.get("/roles").raise_for_status().json()["roles"]
        ids = {role["name"]: role["id"] for role in roles}
        project = create("project", name=PROJECT, domain_id="default")
        for (name, password), role in ((ARCHIVER, "member"), (READER, "reader")):
            user = create("user", name=name, password=password, domain_id="default")
            path = f"/projects/{project}/users/{user}/roles/{ids[role]}"
            admin.put(path).raise_for_status()
        create("region", id=REGION)
        for kind in _SERVICES:
            facts = {"service_id": create("service", type=kind, name=kind), "region_id": REGION}
            create("endpoint", interface="public", url="http://later", **facts)
