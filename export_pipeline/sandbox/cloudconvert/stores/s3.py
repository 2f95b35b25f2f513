"""export/s3 and import/s3: by the credentials given, at Amazon or the endpoint given."""

import asyncio
import threading
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlencode

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from export_pipeline.sandbox.cloudconvert.calling import CallError, media_type
from export_pipeline.sandbox.cloudconvert.stores.store import Given
from export_pipeline.sandbox.cloudconvert.tasks import Json

T = TypeVar("T")
META = "x-amz-meta-"
_making = threading.Lock()


async def put(given: Given, name: str, body: bytes) -> None:
    """Write an object with all that the task says of it."""
    request = {**_of_object(given.arguments), "Key": name, "Body": body}
    request.setdefault("ContentType", media_type(name))
    await asyncio.to_thread(_told, lambda: _client(given.arguments).put_object(**request))


async def get(given: Given, name: str) -> bytes:
    """Read an object."""
    bucket = given.arguments["bucket"]

    def read() -> bytes:
        found = _client(given.arguments).get_object(Bucket=bucket, Key=name)
        body: bytes = found["Body"].read()
        return body

    return await asyncio.to_thread(_told, read)


async def names(given: Given, prefix: str) -> list[str]:
    """List objects."""
    bucket = given.arguments["bucket"]

    def read() -> list[str]:
        found = _client(given.arguments).list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [one["Key"] for one in found.get("Contents", ())]

    return await asyncio.to_thread(_told, read)


def _of_object(arguments: Json) -> Json:
    named = {
        "Bucket": "bucket",
        "CacheControl": "cache_control",
        "ContentDisposition": "content_disposition",
        "ContentType": "content_type",
        "ServerSideEncryption": "server_side_encryption",
    }
    found = {name: arguments[key] for name, key in named.items() if arguments.get(key)}
    # Any other ACL needs a permission that "private" does not (seed 003), so that is not sent.
    if arguments.get("acl", "private") != "private":
        found["ACL"] = arguments["acl"]
    if arguments.get("metadata"):
        found["Metadata"] = {
            name.removeprefix(META): text for name, text in arguments["metadata"].items()
        }
    if arguments.get("tagging"):
        found["Tagging"] = urlencode(arguments["tagging"])
    return found


def _client(arguments: Json) -> Any:
    with _making:
        return _session().create_client(
            "s3",
            region_name=arguments["region"],
            endpoint_url=arguments.get("endpoint"),
            aws_access_key_id=arguments["access_key_id"],
            aws_secret_access_key=arguments["secret_access_key"],
            aws_session_token=arguments.get("session_token"),
            config=Config(
                retries={"total_max_attempts": 1},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )


@cache
def _session() -> Any:
    return botocore.session.Session()


def _told(call: Callable[[], T]) -> T:
    try:
        return call()
    except (ClientError, BotoCoreError, ValueError) as error:
        raise CallError(str(error)) from error
