"""A client of the sandbox's CloudConvert for its tests."""

from typing import Any

import httpx

from export_pipeline.sandbox import Sandbox
from export_pipeline_tests.sandbox.receiving import wait_until

HOSTILE_NAME = 'a;"<x>=2e ü .b%2f.txt'
IMPORT = {"operation": "import/raw", "file": "one\ftwo", "filename": "letter.txt"}

Json = dict[str, Any]


class Api:
    """Calls both of the vendor's hosts, the control endpoints, and the host of its files."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.key = str(sandbox.addresses["cloudconvert_key"])
        self._http = httpx.Client(trust_env=False, timeout=30)

    def close(self) -> None:
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        host: str = "cloudconvert",
        **query: str,
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        url = f"{self.sandbox.addresses[host]}/v2{path}"
        return self._http.request(method, url, json=body, headers=headers, params=query or None)

    def wait(self, path: str) -> Json:
        """What the host that waits tells in the end."""
        answer = self.call("GET", path, host="cloudconvert_sync")
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["data"])

    def create(self, tasks: Json, **more: Any) -> httpx.Response:
        return self.call("POST", "/jobs", {"tasks": tasks, **more})

    def job(self, tasks: Json, **more: Any) -> Json:
        """A job that was created, once it is over."""
        answer = self.create(tasks, **more)
        assert answer.status_code == 201, answer.text
        return self.wait(f"/jobs/{answer.json()['data']['id']}")

    def tasks(self, tasks: Json, **more: Any) -> dict[str, Json]:
        """The tasks of a job by name, once it is over."""
        return {task["name"]: task for task in self.job(tasks, **more)["tasks"]}

    def exported(self, operation: str, *files: Json, **arguments: Any) -> Json:
        """The task that exported files, made by the control endpoint, once it is over."""
        made = self.made(*files or ({"filename": "letter.txt"},))
        body = {"input": made["tasks"][0], **arguments}
        answer = self.call("POST", f"/{operation}", body)
        assert answer.status_code == 201, answer.text
        return self.wait(f"/tasks/{answer.json()['data']['id']}")

    def links(self, *files: Json, **arguments: Any) -> list[str]:
        """Links to such files."""
        task = self.exported("export/url", *files, **arguments)
        return [str(one["url"]) for one in task["result"]["files"]]

    def made(self, *files: Json, **spec: Any) -> Json:
        """The ids of a finished job and its tasks, made by the control endpoint."""
        answer = self.control("POST", "/jobs", [{"files": files, **spec}])
        assert answer.status_code == 201, answer.text
        (job,) = answer.json()["jobs"]
        return dict(job)

    def file(self, link: str, **headers: str) -> httpx.Response:
        return self._http.get(link, headers=headers)

    def post(self, url: str, **arguments: Any) -> httpx.Response:
        return self._http.post(url, **arguments)

    def control(self, method: str, path: str, body: Any = None) -> httpx.Response:
        url = self.sandbox.addresses["cloudconvert_control"] + path
        return self._http.request(method, url, json=body)

    def plan(self, **faults: list[str]) -> None:
        assert self.control("POST", "/faults", faults).status_code == 204

    def stats(self) -> Json:
        return self.sandbox.stats("cloudconvert")

    def wait_idle(self) -> Json:
        """The stats once nothing goes on in the background."""
        wait_until(lambda: self.stats()["working"] == 0, "the sandbox to be idle")
        return self.stats()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error, whose body is whole."""
    body = answer.json()
    assert set(body) - {"errors"} == {"message", "code"}
    return answer.status_code, body["code"]


def errors(answer: httpx.Response) -> dict[str, list[str]]:
    """What is wrong with each field."""
    assert refusal(answer) == (422, "INVALID_DATA")
    assert answer.json()["message"] == "The given data was invalid."
    return dict(answer.json()["errors"])


def wait_over(api: Api, task: str) -> Json:
    """A task by the host that answers at once, once it is over."""
    found: Json = {}

    def is_over() -> bool:
        found.update(api.call("GET", f"/tasks/{task}").json()["data"])
        return found["status"] in ("finished", "error")

    wait_until(is_over, f"the end of the task {task}")
    return found
