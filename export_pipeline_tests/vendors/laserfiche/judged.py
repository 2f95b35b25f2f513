"""What the client sends, judged by Laserfiche's own OpenAPI document."""

import json

import httpx

from export_pipeline_tests.sandbox.laserfiche.contract import request_problems

API = "/v2/"
"""Logins, before it, are not in the document."""


def judged(client: httpx.AsyncClient, base: str) -> httpx.AsyncClient:
    """The client, which fails the test over a call that the document does not have.

    Args:
        client: sends the calls.
        base: the API's address, up to where the document's paths begin.
    """

    async def judge(request: httpx.Request) -> None:
        path = str(request.url).removeprefix(base)
        if path.startswith(API):
            body = json.loads(request.content) if request.content else None
            found = request_problems(request.method, path, body)
            assert found == [], f"{request.method} {path}"

    client.event_hooks["request"].append(judge)
    return client
