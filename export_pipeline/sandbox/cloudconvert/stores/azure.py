"""export/azure/blob and import/azure/blob: by the account's key or a SAS token."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from email.utils import formatdate
from types import MappingProxyType
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree as ET

from export_pipeline.sandbox.cloudconvert.calling import Answer, CallError, call, media_type
from export_pipeline.sandbox.cloudconvert.stores.store import Given

VERSION = "2023-11-03"
META = "x-ms-meta-"


async def put(given: Given, name: str, body: bytes) -> None:
    """Write a block blob with its metadata."""
    metadata = given.arguments.get("metadata") or {}
    headers = {
        "Content-Type": media_type(name),
        "x-ms-blob-type": "BlockBlob",
        **{f"{META}{key.removeprefix(META)}": text for key, text in metadata.items()},
    }
    (await _call(given, "PUT", name, headers, body)).require_success("Azure's Put Blob")


async def get(given: Given, name: str) -> bytes:
    """Read a blob."""
    answer = await _call(given, "GET", name, {}, b"")
    answer.require_success("Azure's Get Blob")
    return answer.body


async def names(given: Given, prefix: str) -> list[str]:
    """List blobs."""
    query = {"comp": "list", "prefix": prefix, "restype": "container"}
    answer = await _call(given, "GET", "", {}, b"", query)
    answer.require_success("Azure's List Blobs")
    listed = ET.fromstring(answer.body)  # noqa: S314  of the store that the task names
    return [str(one.text) for one in listed.iter("Name")]


async def _call(
    given: Given,
    method: str,
    name: str,
    headers: Mapping[str, str],
    body: bytes,
    query: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    account, container = given.arguments["storage_account"], given.arguments["container"]
    service = given.options.azure_url.format(account=account)
    url = f"{service}/{quote(container)}" + (f"/{quote(name)}" if name else "")
    headers = {**headers, "x-ms-date": formatdate(usegmt=True), "x-ms-version": VERSION}
    token, key = given.arguments.get("sas_token"), given.arguments.get("storage_access_key")
    asked = urlencode(query)
    if token:
        asked = "&".join(filter(None, (asked, token.removeprefix("?"))))
    else:
        parameters = (f"\n{name}:{text}" for name, text in query.items())
        resource = f"/{account}{urlsplit(url).path}{''.join(parameters)}"
        signature = _signature(method, resource, headers, body, _decoded(str(key)))
        headers["Authorization"] = f"SharedKey {account}:{signature}"
    url = f"{url}?{asked}" if asked else url
    return await call(given.session, method, url, headers=headers, data=body or None)


def _signature(
    method: str, resource: str, headers: Mapping[str, str], body: bytes, key: bytes
) -> str:
    """Azure's Shared Key (Storage services REST API: "Authorize with Shared Key")."""
    length, kind = str(len(body) or ""), headers.get("Content-Type", "")
    own = sorted((name.lower(), text) for name, text in headers.items() if name[:5] == "x-ms-")
    lines = [method, "", "", length, "", kind, *[""] * 6]
    lines += [*(f"{name}:{text}" for name, text in own), resource]
    return base64.b64encode(hmac.digest(key, "\n".join(lines).encode(), "sha256")).decode()


def _decoded(key: str) -> bytes:
    try:
        return base64.b64decode(key, validate=True)
    except binascii.Error:
        raise CallError("the storage access key is not valid") from None
