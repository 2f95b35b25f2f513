"""How the throw-away Swift is set up: one proxy, one disk, the middleware of a usual cluster."""

import getpass
from collections.abc import Mapping
from pathlib import Path

from export_pipeline_tests.servers.keystone import ADMINISTRATOR

STORAGE = ("account", "container", "object")
"""The servers behind the proxy."""
_HASHING = "[swift-hash]\nswift_hash_path_suffix = tests\n"
_ANY = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
disable_fallocate = true
log_level = WARNING
"""
_STORAGE = """
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
_PROXY = """
[pipeline:main]
pipeline = {middleware} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = {keystone}
auth_url = {keystone}
auth_type = password
username = admin
password = {password}
project_name = admin
user_domain_id = default
project_domain_id = default
interface = public
delay_auth_decision = true
service_token_roles_required = true
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = member
project_reader_roles = reader
"""
_MIDDLEWARE = (
    "catch_errors gatekeeper bulk tempurl authtoken keystoneauth copy container_quotas slo dlo"
)


def write_configs(folder: Path, ports: Mapping[str, int], keystone: str) -> None:
    """Write what each server reads.

    Args:
        folder: everything lies in it.
        ports: of the proxy and of each of `STORAGE`.
        keystone: its URL.
    """
    (folder / "devices" / "disk").mkdir(parents=True)
    (folder / "swift.conf").write_text(_HASHING)
    for name, port in ports.items():
        text = _ANY.format(port=port, user=getpass.getuser(), folder=folder)
        text += _STORAGE.format(name=name) if name in STORAGE else _proxy(keystone)
        (folder / f"{name}.conf").write_text(text)


def _proxy(keystone: str) -> str:
    text = _PROXY.format(keystone=keystone, middleware=_MIDDLEWARE, password=ADMINISTRATOR[1])
    plain = [name for name in _MIDDLEWARE.split() if name not in {"authtoken", "keystoneauth"}]
    return text + "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in plain)
