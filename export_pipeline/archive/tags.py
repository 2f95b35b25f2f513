"""The text of BagIt's tag files (RFC 8493, parts 2.1 and 2.2), written and read back; pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from export_pipeline.errors import BadInput

DECLARATION_NAME = "bagit.txt"
INFO_NAME = "bag-info.txt"
MANIFEST_NAME = "manifest-sha256.txt"
PROVENANCE_NAME = "provenance.json"
DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

Info = Mapping[str, str | Sequence[str]]

# RFC 8493 part 2.1.3: only these three are percent-encoded in a manifest's paths.
_ENCODED = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_DECODED = {code: character for character, code in _ENCODED.items()}
_MANIFEST_LINE = re.compile(r"([0-9A-Fa-f]{64})[ \t]+\*?(.+)")
# What some reader takes for the end of a line, or cannot show.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def write_manifest(digests: Mapping[str, str]) -> bytes:
    """Return a manifest of path -> sha256 in order of path, as `sha256sum -c` reads it."""
    lines = (f"{digests[path]}  {_encode(path)}\n" for path in sorted(digests))
    return "".join(lines).encode()


def read_manifest(data: bytes, where: str) -> dict[str, str]:
    """Return path -> lower-case sha256 of a manifest; `where` names it in errors.

    Raises:
        BadInput: a line is not `<sha256>  <path>`, or a path is there twice.
    """
    digests: dict[str, str] = {}
    for number, line in _lines(data, where):
        match = _MANIFEST_LINE.fullmatch(line)
        if match is None or _decode(match[2]) in digests:
            raise BadInput(f"{where}, line {number}: not '<sha256>  <path>', or the path again")
        digests[_decode(match[2])] = match[1].lower()
    return digests


def write_info(info: Info) -> bytes:
    """Return bag-info: one line a value, line ends and control characters in it become a space."""
    lines = (
        f"{label}: {_CONTROLS.sub(' ', value).strip()}\n"
        for label, values in info.items()
        for value in ([values] if isinstance(values, str) else values)
    )
    return "".join(lines).encode("utf-8", "backslashreplace")


def read_info(data: bytes, where: str) -> dict[str, tuple[str, ...]]:
    """Return label -> values of a bag-info; continued lines are joined by a space.

    Raises:
        BadInput: a line has no label.
    """
    info: dict[str, tuple[str, ...]] = {}
    label = ""
    for number, line in _lines(data, where):
        if line[0] in " \t" and label:
            info[label] = (*info[label][:-1], f"{info[label][-1]} {line.strip()}")
            continue
        label, colon, value = line.partition(":")
        if not colon or not label.strip():
            raise BadInput(f"{where}, line {number}: not '<label>: <value>'")
        info[label] = (*info.get(label, ()), value.strip())
    return info


def _lines(data: bytes, where: str) -> Iterator[tuple[int, str]]:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"{where}: not UTF-8 at byte {error.start}") from None
    return _numbered(re.split(r"\r\n|\r|\n", text))


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def _encode(path: str) -> str:
    return re.sub(r"[%\r\n]", lambda match: _ENCODED[match[0]], path)


def _decode(path: str) -> str:
    return re.sub(r"%25|%0[DdAa]", lambda match: _DECODED[match[0].upper()], path)
