"""What the tests of all stores export and bring back."""

from typing import Any

from export_pipeline_tests.sandbox.cloudconvert.api import HOSTILE_NAME, Api, Json

LETTER: Json = {"filename": "letter.txt", "text": "Dear reader,\n"}
HOSTILE: Json = {"filename": HOSTILE_NAME, "text": "Hostile.\n"}
EMPTY: Json = {"filename": "empty.bin", "text": ""}


def done(task: Json) -> list[str]:
    """The names that a task told, which are all that it tells of files elsewhere."""
    assert (task["status"], task["message"]) == ("finished", None)
    assert all(set(one) == {"filename"} for one in task["result"]["files"])
    return [str(one["filename"]) for one in task["result"]["files"]]


def failed(task: Json) -> str:
    """Why a task failed."""
    assert (task["status"], task["code"], task["result"]) == ("error", "EXPORT_FAILED", None)
    assert task["message"]
    return str(task["message"])


def brought(api: Api, operation: str, **arguments: Any) -> dict[str, bytes]:
    """The files that an import brings."""
    created = api.call("POST", f"/{operation}", arguments).json()["data"]["id"]
    export = api.call("POST", "/export/url", {"input": created}).json()["data"]["id"]
    task = api.wait(f"/tasks/{export}")
    assert task["status"] == "finished", api.wait(f"/tasks/{created}")["message"]
    told = task["result"]["files"]
    return {one["filename"]: api.file(one["url"]).content for one in told}
