"""Forms with a file (RFC 7578), read as leniently as the vendor reads its own SDKs' (FACTS 4.4)."""

import re
from typing import NamedTuple

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_PARAMETER = re.compile(r';\s*(name|filename)=(?:"((?:[^"\\]|\\.)*)"|([^;\r\n]*))', re.IGNORECASE)


class Part(NamedTuple):
    """One field of a form; `filename` is None of one that is no file."""

    name: str
    filename: str | None
    body: bytes


def read_form(content_type: str, body: bytes) -> list[Part]:
    """The fields in their order; raises ValueError if this is no such form."""
    boundary = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or boundary is None:
        raise ValueError("the body must be multipart/form-data")
    mark = b"--" + boundary[1].encode("latin-1")
    first, *parts, last = (b"\r\n" + body).split(b"\r\n" + mark)
    if first or not parts or not last.startswith(b"--"):
        raise ValueError("the form is cut off")
    return [_part(part) for part in parts]


def _part(raw: bytes) -> Part:
    head, is_whole, body = raw.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    found = {
        name.lower(): quoted or bare
        for line in head.decode("utf-8", "replace").split("\r\n")
        if line.lower().startswith("content-disposition:")
        for name, quoted, bare in _PARAMETER.findall(line)
    }
    if not is_whole or "name" not in found:
        raise ValueError("a part of the form has no name")
    return Part(found["name"], found.get("filename"), body)
