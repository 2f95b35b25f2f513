"""A client of the sandbox's HookBridge for its tests."""

from typing import Any

import httpx

from export_pipeline.sandbox import Sandbox

DAY = {"start_time": "2023-11-01T00:00:00Z", "end_time": "2023-11-02T00:00:00Z"}
ENDPOINT = "ep_550e8400e29b41d4a716446655440000"


class Api:
    """Calls the vendor's and the control endpoints, and the host of its files."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.key = sandbox.addresses["hookbridge_key"]
        self._http = httpx.Client(trust_env=False, timeout=30)

    def close(self) -> None:
        self._http.close()

    def call(
        self, method: str, path: str, body: Any = None, key: str | None = None
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        url = self.sandbox.addresses["hookbridge"] + path
        return self._http.request(method, url, json=body, headers=headers)

    def create(self, **changes: Any) -> httpx.Response:
        return self.call("POST", "/v1/exports", DAY | changes)

    def get(self, export_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"/v1/exports/{export_id}").json()["data"]
        return found

    def download(self, export_id: str) -> httpx.Response:
        return self.call("GET", f"/v1/exports/{export_id}/download")

    def made(self, *traits: str, age_seconds: float = 60.0, **filters: str) -> str:
        """The id of an export made by the control endpoint."""
        spec = {"filters": DAY | filters, "traits": traits, "age_seconds": age_seconds}
        (export_id,) = self.control("POST", "/exports", [spec]).json()["ids"]
        return str(export_id)

    def control(self, method: str, path: str, body: Any = None) -> httpx.Response:
        url = self.sandbox.addresses["hookbridge_control"] + path
        return self._http.request(method, url, json=body)

    def file(self, link: str, **headers: str) -> httpx.Response:
        return self._http.get(link, headers=headers)

    def stats(self) -> dict[str, Any]:
        return self.sandbox.stats("hookbridge")


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error, whose envelope is whole."""
    body = answer.json()
    assert set(body) == {"error", "meta"}
    assert set(body["error"]) == {"code", "message"}
    assert body["meta"]["request_id"].startswith("req_")
    assert "X-Request-Id" not in answer.headers
    return answer.status_code, body["error"]["code"]
