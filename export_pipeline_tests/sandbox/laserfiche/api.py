"""A client of the sandbox's Laserfiche for its tests: every answer is judged by the document."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from export_pipeline.sandbox import Sandbox
from export_pipeline.sandbox.laserfiche import EntrySpec
from export_pipeline_tests.sandbox.laserfiche.contract import response_problems

UNDOCUMENTED = (408, 502, 503, 504)


class Api:
    """Calls the vendor's and the control endpoints; logs in at the first call."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.base = str(sandbox.addresses["laserfiche"])
        self.repository = str(sandbox.addresses["laserfiche_repository"])
        self._http = httpx.Client(trust_env=False, timeout=30)
        self.token = ""

    def close(self) -> None:
        self._http.close()

    def login(self, **changes: str) -> httpx.Response:
        addresses = self.sandbox.addresses
        form = {
            "grant_type": "password",
            "username": addresses["laserfiche_username"],
            "password": addresses["laserfiche_password"],
        } | changes
        url = f"{self.base}/v1/Repositories/{self.repository}/Token"
        return self._http.post(url, data=form)

    def call(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """A call to the repository; `path` begins below it, or is a whole URL."""
        if not self.token:
            self.token = self.login().json()["access_token"]
        url = path if path.startswith("http") else f"{self.repository_url}{path}"
        headers = {"Authorization": f"Bearer {self.token}"} | (headers or {})
        answer = self._http.request(method, url, json=body, headers=headers)
        if answer.status_code not in UNDOCUMENTED:
            below = (
                urlsplit(url)._replace(scheme="", netloc="").geturl().removeprefix("/laserfiche")
            )
            told = response_problems(method, below, answer.status_code, answer.json())
            assert told == [], answer.text
        return answer

    @property
    def repository_url(self) -> str:
        return f"{self.base}/v2/Repositories/{self.repository}"

    def export(self, entry: str, part: str = "Image", **options: Any) -> httpx.Response:
        return self.call("POST", f"/Entries/{entry}/Export", {"part": part, **options})

    def start(self, entry: str, part: str = "Image", **options: Any) -> str:
        answer = self.call("POST", f"/Entries/{entry}/ExportAsync", {"part": part, **options})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["taskId"])

    def tasks(self, *ids: str) -> list[dict[str, Any]]:
        query = "&".join(f"taskIds={one}" for one in ids)
        return list(self.call("GET", f"/Tasks?{query}").json()["value"])

    def download(self, link: str, **headers: str) -> httpx.Response:
        return self._http.get(link, headers=headers)

    def add(self, *specs: EntrySpec) -> Sequence[str]:
        body = [spec.to_json() for spec in specs]
        return [str(number) for number in self.control("POST", "/entries", body).json()["ids"]]

    def control(self, method: str, path: str, body: Any = None) -> httpx.Response:
        url = self.sandbox.addresses["laserfiche_control"] + path
        return self._http.request(method, url, json=body)

    def stats(self) -> dict[str, Any]:
        return self.sandbox.stats("laserfiche")
