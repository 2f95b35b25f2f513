"""export/openstack and import/openstack against Swift and Keystone."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from export_pipeline_tests.sandbox.cloudconvert.api import HOSTILE_NAME, Api, Json
from export_pipeline_tests.sandbox.cloudconvert.stores.files import (
    EMPTY,
    HOSTILE,
    LETTER,
    brought,
    done,
    failed,
)
from export_pipeline_tests.sandbox.receiving import Receiver
from export_pipeline_tests.servers.keystone import ARCHIVER, PROJECT, READER, REGION
from export_pipeline_tests.servers.receiver import running
from export_pipeline_tests.servers.swift import Swift


@pytest.fixture
def given(swift: Swift) -> Json:
    return {
        "auth_url": swift.auth_url,
        "username": ARCHIVER[0],
        "password": ARCHIVER[1],
        "region": REGION,
        "tenant_name": PROJECT,
        "container": swift.new_container(),
    }


def test_a_file_is_stored_by_its_name(api: Api, swift: Swift, given: Json) -> None:
    name = f"a b/=2e/{HOSTILE_NAME}"
    assert done(api.exported("export/openstack", LETTER, **given, file=name)) == ["letter.txt"]
    found = swift.client.get(swift.address(given["container"], name))
    assert (found.content, found.headers["Content-Type"]) == (b"Dear reader,\n", "text/plain")
    assert brought(api, "import/openstack", **given, file=name) == {HOSTILE_NAME: b"Dear reader,\n"}


def test_several_files_are_numbered_or_keep_their_names(
    api: Api, swift: Swift, given: Json
) -> None:
    files = (LETTER, HOSTILE, EMPTY)
    done(api.exported("export/openstack", *files, **given, file="my-%d"))
    done(api.exported("export/openstack", *files, **given, file_prefix="in/"))
    assert set(swift.names(given["container"])) == {
        *("my-1", "my-2", "my-3"),
        *("in/letter.txt", f"in/{HOSTILE_NAME}", "in/empty.bin"),
    }
    assert len(brought(api, "import/openstack", **given, file_prefix="in/")) == 3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": "wrong"}, "401"),
        ({"region": "elsewhere"}, "no object store in the region elsewhere"),
        ({"container": "no such container"}, "404"),
        ({"username": READER[0], "password": READER[1]}, "403"),
        ({"auth_url": "http://127.0.0.1:1"}, "did not answer"),
    ],
)
def test_what_the_store_refuses_fails_the_task_with_its_reason(
    api: Api, given: Json, changes: Json, reason: str
) -> None:
    message = failed(api.exported("export/openstack", LETTER, **{**given, **changes}))
    assert reason in message
    assert given["password"] not in message


@pytest.fixture
def old_keystone(receiver: Receiver) -> Iterator[tuple[str, list[Any]]]:
    """A Keystone that knows version 2 alone, which no installable one does any more."""
    asked: list[Any] = []

    async def log_in(request: Request) -> Response:
        asked.append(json.loads(await request.body()))
        endpoint = {"region": "DE", "publicURL": f"{receiver.url}/v1/AUTH_x"}
        service = {"type": "object-store", "endpoints": [endpoint]}
        return JSONResponse({"access": {"token": {"id": "tok"}, "serviceCatalog": [service]}})

    with running(Starlette(routes=[Route("/v2.0/tokens", log_in, methods=["POST"])])) as url:
        yield url, asked


def test_version_2_of_keystone_is_used_where_3_is_not_there(
    api: Api, receiver: Receiver, old_keystone: tuple[str, list[Any]]
) -> None:
    url, asked = old_keystone
    given = {
        "auth_url": f"{url}/",
        "username": "u",
        "password": "p",
        "region": "DE",
        "container": "c d",
        "file": "e f",
    }
    done(api.exported("export/openstack", LETTER, **given, tenant_name="t"))
    credentials = {"username": "u", "password": "p"}
    assert asked == [{"auth": {"passwordCredentials": credentials, "tenantName": "t"}}]
    (request,) = receiver.requests
    assert (request.method, request.path) == ("PUT", "/v1/AUTH_x/c%20d/e%20f")
    assert request.headers["x-auth-token"] == "tok"
