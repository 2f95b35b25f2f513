"""Every vendor takes a body only as what its documents say that it is sent as."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from export_pipeline.sandbox import Sandbox, SandboxOptions

BODIES: Mapping[str, tuple[str, Any, int]] = {
    "copyleaks": (
        "/v3/downloads/a-scan/export/an-export",
        {"completionWebhook": "http://127.0.0.1:9/completed", "results": []},
        415,
    ),
    "laserfiche": ("/Entries/11/ExportAsync", {"part": "Image"}, 415),
    "hookbridge": (
        "/v1/exports",
        {"start_time": "2025-01-01T00:00:00Z", "end_time": "2025-01-02T00:00:00Z"},
        400,
    ),
    "cloudconvert": ("/v2/jobs", {"tasks": {"a": {"operation": "import/upload"}}}, 422),
}
"""Path, body, and what a body that is not called JSON is answered."""
OTHERS = (None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions.at("fast")) as started:
        yield started


def form(told: Mapping[str, Any]) -> dict[str, str]:
    login = {"username": told["laserfiche_username"], "password": told["laserfiche_password"]}
    return {"grant_type": "password", **login}


def base_and_key(told: Mapping[str, Any], vendor: str) -> tuple[str, str]:
    """Where a vendor's paths begin, and what is let in there."""
    if vendor == "copyleaks":
        login = {"email": told["copyleaks_email"], "key": told["copyleaks_key"]}
        url = f"{told['copyleaks_identity']}/v3/account/login/api"
        return told["copyleaks_api"], httpx.post(url, json=login).json()["access_token"]
    if vendor == "laserfiche":
        url, repository = told["laserfiche"], f"Repositories/{told['laserfiche_repository']}"
        answer = httpx.post(f"{url}/v1/{repository}/Token", data=form(told))
        return f"{url}/v2/{repository}", answer.json()["access_token"]
    return told[vendor], told[f"{vendor}_key"]


@pytest.mark.parametrize("media_type", OTHERS)
@pytest.mark.parametrize("vendor", BODIES)
def test_a_body_that_is_not_called_json_is_refused(
    sandbox: Sandbox, vendor: str, media_type: str | None
) -> None:
    path, body, status = BODIES[vendor]
    base, key = base_and_key(sandbox.addresses, vendor)
    headers = {"Authorization": f"Bearer {key}"}
    typed = headers | ({"Content-Type": media_type} if media_type else {})
    assert httpx.post(base + path, content=json.dumps(body), headers=typed).status_code == status
    named = headers | {"Content-Type": "Application/JSON; charset=utf-8"}
    taken = httpx.post(base + path, content=json.dumps(body), headers=named)
    # The scan of this one does not exist.
    assert taken.status_code == 404 if vendor == "copyleaks" else taken.is_success


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/json"])
def test_a_login_of_laserfiche_that_is_not_called_a_form_is_refused(
    sandbox: Sandbox, media_type: str | None
) -> None:
    told = sandbox.addresses
    urls = (
        f"{told['laserfiche']}/v1/Repositories/{told['laserfiche_repository']}/Token",
        told["laserfiche_token_url"],
    )
    content = str(httpx.QueryParams(form(told)))
    headers = {"Content-Type": media_type} if media_type else {}
    for url in urls:
        assert httpx.post(url, content=content, headers=headers).status_code == 415
