"""A client of the sandbox's Copyleaks for its tests."""

from typing import Any
from urllib.parse import quote

import httpx

from export_pipeline.sandbox import Sandbox, ScanSpec
from export_pipeline_tests.sandbox.receiving import Receiver, wait_until


class Api:
    """Calls the vendor's and the control endpoints; logs in at the first export."""

    def __init__(self, sandbox: Sandbox, receiver: Receiver) -> None:
        self.sandbox = sandbox
        self.receiver = receiver
        self._http = httpx.Client(verify=False, trust_env=False, timeout=30)
        self._token = ""

    def close(self) -> None:
        self._http.close()

    def login(self, **changes: Any) -> httpx.Response:
        addresses = self.sandbox.addresses
        credentials = {
            "email": addresses["copyleaks_email"],
            "key": addresses["copyleaks_key"],
        } | changes
        body = {name: value for name, value in credentials.items() if value is not None}
        return self._http.post(f"{addresses['copyleaks_identity']}/v3/account/login/api", json=body)

    def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        if not self._token:
            self._token = self.login().json()["access_token"]
        headers = {"Authorization": f"Bearer {self._token}"} | arguments.pop("headers", {})
        url = self.sandbox.addresses["copyleaks_api"] + path
        return self._http.request(method, url, headers=headers, **arguments)

    def export(
        self, scan: str, export: str = "export-1", body: Any = None, **changes: Any
    ) -> httpx.Response:
        path = f"/v3/downloads/{quote(scan, safe='')}/export/{quote(export, safe='')}"
        order = self.order() | changes if body is None else body
        return self.call("POST", path, json=order)

    def order(self, *artifacts: str) -> dict[str, Any]:
        """An order of single artifacts, each to a path of its name."""
        targets = {name: self.target(name) for name in artifacts}
        return {"completionWebhook": f"{self.receiver.url}/done", **targets}

    def target(self, path: str) -> dict[str, Any]:
        return {"verb": "PUT", "endpoint": f"{self.receiver.url}/{path}"}

    def control(self, method: str, path: str, body: Any = None) -> httpx.Response:
        url = self.sandbox.addresses["copyleaks_control"] + path
        return self._http.request(method, url, json=body)

    def add(self, *specs: ScanSpec) -> None:
        answer = self.control("POST", "/scans", [spec.to_json() for spec in specs])
        assert answer.status_code == 201, answer.text

    def wait_idle(self) -> dict[str, Any]:
        """The stats once nothing goes on in the background."""
        wait_until(lambda: self.sandbox.stats()["working"] == 0, "the sandbox to be idle")
        return self.sandbox.stats()
