"""The form of an import/upload, and what comes with it (FACTS 4.4)."""

import hmac
from collections.abc import Sequence

from export_pipeline.sandbox.cloudconvert.multipart import Part
from export_pipeline.sandbox.cloudconvert.tasks import LIFE_SECONDS, Json, MadeFile
from export_pipeline.sandbox.plain import BareError

MOST_BYTES = 10_000_000_000
_SECRET = b"cloudconvert sandbox uploads"


def upload_form(base: str, task: str, redirect: str, now: float) -> Json:
    """Where and with what to upload the file of a task."""
    parameters = {
        "expires": int(now) + LIFE_SECONDS,
        "max_file_count": 1,
        "max_file_size": MOST_BYTES,
        **({"redirect": redirect} if redirect else {}),
    }
    return {
        "url": f"{base}/upload/{task}",
        "parameters": {**parameters, "signature": _signature(task, parameters)},
    }


def read_upload(form: Json, parts: Sequence[Part], now: float) -> MadeFile:
    """The file of a form; one that is not as it was given out is refused."""
    *fields, file = parts
    if file.name != "file" or file.filename is None:
        raise BareError(400, "The file must be the last field of the form.")
    expected = {name: str(value) for name, value in form["parameters"].items()}
    given = {one.name: one.body.decode("utf-8", "replace") for one in fields}
    if given != expected:
        raise BareError(403, "The signature is not valid for these fields.")
    if now >= form["parameters"]["expires"]:
        raise BareError(403, "The form has expired.")
    if len(file.body) > MOST_BYTES:
        raise BareError(413, "The file is too large.")
    return MadeFile(file.filename.rpartition("/")[2] or "file", file.body)


def _signature(task: str, parameters: Json) -> str:
    text = "\n".join([task, *(f"{name}={value}" for name, value in parameters.items())])
    return hmac.digest(_SECRET, text.encode(), "sha256").hex()
