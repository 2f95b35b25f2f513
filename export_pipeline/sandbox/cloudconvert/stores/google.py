"""export/google-cloud-storage and its import: by a service account's key and the JSON API."""

import json
import time
from urllib.parse import quote

import jwt

from export_pipeline.sandbox.cloudconvert.calling import CallError, call, media_type
from export_pipeline.sandbox.cloudconvert.stores.store import Given

SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
AUDIENCE = "https://oauth2.googleapis.com/token"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_SECONDS = 3600
BOUNDARY = "cloudconvert-part"


async def put(given: Given, name: str, body: bytes) -> None:
    """Write an object."""
    described = json.dumps({"name": name, "contentType": media_type(name)})
    mark = f"--{BOUNDARY}"
    head = f"{mark}\r\nContent-Type: application/json\r\n\r\n{described}\r\n{mark}\r\n"
    content = f"{head}Content-Type: {media_type(name)}\r\n\r\n".encode() + body
    headers = {
        "Authorization": await _authorization(given),
        "Content-Type": f"multipart/related; boundary={BOUNDARY}",
    }
    bucket = quote(given.arguments["bucket"], safe="")
    url = f"{given.options.google_url}/upload/storage/v1/b/{bucket}/o?uploadType=multipart"
    data = content + f"\r\n{mark}--\r\n".encode()
    answer = await call(given.session, "POST", url, headers=headers, data=data)
    answer.require_success("Google's upload")


async def get(given: Given, name: str) -> bytes:
    """Read an object."""
    headers = {"Authorization": await _authorization(given)}
    bucket, key = (quote(text, safe="") for text in (given.arguments["bucket"], name))
    url = f"{given.options.google_url}/storage/v1/b/{bucket}/o/{key}?alt=media"
    answer = await call(given.session, "GET", url, headers=headers)
    answer.require_success("Google's download")
    return answer.body


async def names(given: Given, prefix: str) -> list[str]:
    """List objects."""
    headers = {"Authorization": await _authorization(given)}
    bucket = quote(given.arguments["bucket"], safe="")
    url = f"{given.options.google_url}/storage/v1/b/{bucket}/o?prefix={quote(prefix, safe='')}"
    answer = await call(given.session, "GET", url, headers=headers)
    answer.require_success("Google's list")
    return [one["name"] for one in json.loads(answer.body).get("items", ())]


async def _authorization(given: Given) -> str:
    now = int(time.time())
    claims = {
        "iss": given.arguments["client_email"],
        "scope": SCOPE,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + TOKEN_SECONDS,
    }
    try:
        assertion = jwt.encode(claims, given.arguments["private_key"], "RS256")
    except (jwt.PyJWTError, ValueError, TypeError):
        raise CallError("the private key is not valid") from None
    form = {"grant_type": GRANT, "assertion": assertion}
    answer = await call(given.session, "POST", given.options.google_token_url, data=form)
    answer.require_success("Google's login")
    return f"Bearer {json.loads(answer.body)['access_token']}"
