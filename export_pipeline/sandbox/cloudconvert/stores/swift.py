"""export/openstack and import/openstack: a token of Keystone, then Swift's own PUT and GET."""

import json
from typing import NamedTuple
from urllib.parse import quote

from export_pipeline.sandbox.cloudconvert.calling import CallError, call, media_type
from export_pipeline.sandbox.cloudconvert.stores.store import Given
from export_pipeline.sandbox.cloudconvert.tasks import Json

NOT_FOUND = 404
KIND = "object-store"


class Login(NamedTuple):
    """A token, and where it opens the object store of the region."""

    token: str
    url: str


async def put(given: Given, name: str, body: bytes) -> None:
    """Write an object."""
    login = await _log_in(given)
    headers = {"X-Auth-Token": login.token, "Content-Type": media_type(name)}
    answer = await call(given.session, "PUT", _url(login, given, name), headers=headers, data=body)
    answer.require_success("Swift's PUT")


async def get(given: Given, name: str) -> bytes:
    """Read an object."""
    login = await _log_in(given)
    headers = {"X-Auth-Token": login.token}
    answer = await call(given.session, "GET", _url(login, given, name), headers=headers)
    answer.require_success("Swift's GET")
    return answer.body


async def names(given: Given, prefix: str) -> list[str]:
    """List objects."""
    login = await _log_in(given)
    url = _url(login, given, "").rstrip("/") + f"?format=json&prefix={quote(prefix, safe='')}"
    answer = await call(given.session, "GET", url, headers={"X-Auth-Token": login.token})
    answer.require_success("Swift's list")
    return [one["name"] for one in json.loads(answer.body)]


def _url(login: Login, given: Given, name: str) -> str:
    return f"{login.url}/{quote(given.arguments['container'], safe='')}/{quote(name)}"


async def _log_in(given: Given) -> Login:
    """By Keystone's version 3, or 2 where that is not there."""
    base = given.arguments["auth_url"].rstrip("/")
    asked = _identity(given.arguments)
    answer = await call(given.session, "POST", f"{base}/v3/auth/tokens", json=asked)
    if answer.status == NOT_FOUND:
        return await _log_in_by_version_2(given, base)
    answer.require_success("Keystone's login")
    region = given.arguments["region"]
    found = [
        endpoint["url"]
        for service in json.loads(answer.body)["token"].get("catalog", [])
        if service["type"] == KIND
        for endpoint in service["endpoints"]
        if endpoint["interface"] == "public" and endpoint["region"] == region
    ]
    return Login(answer.headers["X-Subject-Token"], _only(found, region))


async def _log_in_by_version_2(given: Given, base: str) -> Login:
    arguments = given.arguments
    user = {"username": arguments["username"], "password": arguments["password"]}
    asked = {"passwordCredentials": user, "tenantName": arguments.get("tenant_name", "")}
    answer = await call(given.session, "POST", f"{base}/v2.0/tokens", json={"auth": asked})
    answer.require_success("Keystone's login")
    access, region = json.loads(answer.body)["access"], arguments["region"]
    found = [
        endpoint["publicURL"]
        for service in access["serviceCatalog"]
        if service["type"] == KIND
        for endpoint in service["endpoints"]
        if endpoint["region"] == region
    ]
    return Login(access["token"]["id"], _only(found, region))


def _identity(arguments: Json) -> Json:
    domain = {"name": "Default"}
    user = {"name": arguments["username"], "password": arguments["password"], "domain": domain}
    identity = {"methods": ["password"], "password": {"user": user}}
    project = arguments.get("tenant_name")
    scope = {"scope": {"project": {"name": project, "domain": domain}}} if project else {}
    return {"auth": {"identity": identity, **scope}}


def _only(found: list[str], region: str) -> str:
    if not found:
        raise CallError(f"there is no object store in the region {region}")
    return found[0].rstrip("/")
