"""What a call orders: a job of named tasks, or a task that takes others' files by their ids."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from export_pipeline.sandbox.cloudconvert.arguments import errors_of
from export_pipeline.sandbox.cloudconvert.errors import InvalidData
from export_pipeline.sandbox.cloudconvert.importing import is_base64
from export_pipeline.sandbox.cloudconvert.jobs import Job
from export_pipeline.sandbox.cloudconvert.operations import OPERATIONS
from export_pipeline.sandbox.cloudconvert.tasks import Json, Task
from export_pipeline.sandbox.cloudconvert.uploading import upload_form

_NAME = re.compile(r"[A-Za-z0-9_-]+")
JOB_FIELDS = {"tasks", "tag", "webhook_url", "redirect"}


class Ordering:
    """Makes the tasks that bodies ask for; what is wrong with a body is InvalidData.

    Args:
        new_id: gives each its id.
        uploads: the URL below which files are uploaded.
    """

    def __init__(self, new_id: Callable[[], str], uploads: str) -> None:
        self._new_id = new_id
        self._uploads = uploads

    def job(
        self, account: int, body: Mapping[str, Any], now: float, is_task: Callable[[str], bool]
    ) -> Job:
        """The job of a body, with all its tasks.

        Their inputs are names of its tasks, or ids known by `is_task`: the vendor's older page on
        jobs reads as if a task had the arguments of its own endpoint, and names beside ids.
        """
        named = _named_tasks(body)
        found = _name_errors(named)
        for name, given in named.items():
            by_id = {one for one in _inputs(given) if is_task(one)}
            errors = _errors(given, (named.keys() - {name}) | by_id)
            found |= {f"tasks.{name}.{field}": texts for field, texts in errors.items()}
        found |= {} if found else _circles(named)
        if found:
            raise InvalidData(found)
        job = Job(self._new_id(), account, now, body.get("tag"), body.get("webhook_url"))
        ids = {name: self._new_id() for name in named}
        for name, given in named.items():
            inputs = [ids.get(one, one) for one in _inputs(given)]
            task = self._task(ids[name], account, given["operation"], given, inputs, now)
            task.job, task.name = job.id, name
            job.tasks.append(task)
        return job

    def task(
        self,
        account: int,
        operation: str,
        body: Mapping[str, Any],
        now: float,
        is_task: Callable[[str], bool],
    ) -> Task:
        """The task of a body; its inputs are ids of tasks, known by `is_task`."""
        given = {**body, "operation": operation}
        known = {one for one in _inputs(given) if is_task(one)}
        if errors := _errors(given, known):
            raise InvalidData(errors)
        return self._task(self._new_id(), account, operation, given, _inputs(given), now)

    def _task(
        self,
        task_id: str,
        account: int,
        operation: str,
        given: Mapping[str, Any],
        inputs: list[str],
        now: float,
    ) -> Task:
        payload = {name: value for name, value in given.items() if name != "ignore_error"}
        if inputs:
            payload["input"] = _inputs(given)
        task = Task(task_id, account, operation, payload, now, inputs)
        task.ignore_error = given.get("ignore_error", False)
        if operation == "import/upload":
            redirect = given.get("redirect") or ""
            task.form = upload_form(self._uploads, task_id, redirect, now)
        return task


def _named_tasks(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tasks of a job whose other fields are right."""
    found = {
        name: [f"The {name} must be a string."]
        for name in ("tag", "webhook_url")
        if not isinstance(body.get(name, ""), str | None)
    }
    found |= {name: [f"The {name} field is not known."] for name in body.keys() - JOB_FIELDS}
    named = body.get("tasks")
    if not isinstance(named, Mapping) or not named:
        raise InvalidData({**found, "tasks": ["The tasks field is required."]})
    if found:
        raise InvalidData(found)
    return named


def _name_errors(named: Mapping[str, Any]) -> dict[str, list[str]]:
    """Names with other characters than the vendor's page on jobs allows."""
    text = "The name may have letters, numbers, - and _ only."
    return {f"tasks.{name}": [text] for name in named if not _NAME.fullmatch(name)}


def _errors(given: object, known: set[str]) -> dict[str, list[str]]:
    """What is wrong with one task, whose inputs must be among the `known` ones."""
    if not isinstance(given, Mapping):
        return {"operation": ["The operation field is required."]}
    operation = OPERATIONS.get(str(given.get("operation")))
    if operation is None:
        return {"operation": ["The selected operation is invalid."]}
    arguments = {
        name: value for name, value in given.items() if name not in ("operation", "ignore_error")
    }
    errors = errors_of(operation, arguments)
    if not errors and set(_inputs(given)) - known:
        errors["input"] = ["The selected input is invalid."]
    if not isinstance(given.get("ignore_error", False), bool):
        errors["ignore_error"] = ["The ignore error must be a boolean."]
    if given["operation"] == "import/base64" and not is_base64(given.get("file")):
        errors.setdefault("file", ["The file must be base64 encoded."])
    return errors


def _circles(named: Mapping[str, Json]) -> dict[str, list[str]]:
    """The tasks that wait for themselves."""
    left = dict(named)
    while free := [name for name, one in left.items() if not set(_inputs(one)) & left.keys()]:
        for name in free:
            del left[name]
    return {f"tasks.{name}.input": ["The selected input is invalid."] for name in left}


def _inputs(given: object) -> list[str]:
    if not isinstance(given, Mapping):
        return []
    value = given.get("input") or []
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, str)]
