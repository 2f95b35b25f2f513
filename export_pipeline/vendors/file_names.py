"""The name that a vendor gives a file in Content-Disposition (RFC 6266), made safe to show."""

import re
import unicodedata
from email.message import Message
from urllib.parse import unquote

NAME_BYTES = 255
"""What file systems allow; the rest of a longer name is cut off, its suffix kept."""
_EXTENDED = re.compile(
    r"""\bfilename\*\s*=\s*"?(utf-8|iso-8859-1)'[^']*'([^\s;"]+)""", re.IGNORECASE
)
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*]')
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d) *(?:\.|$)", re.IGNORECASE | re.ASCII)
"""What Windows takes for a device, whatever its suffix."""


def file_name(disposition: str) -> str:
    """The file's own name, without folders and control characters; "" if none is told.

    Args:
        disposition: the header as aiohttp gives it: UTF-8, other bytes as surrogates.
    """
    header = _decoded(disposition)
    extended = _EXTENDED.search(header)
    if extended:
        return safe_name(unquote(extended[2], extended[1], errors="replace"))
    message = Message()
    message["Content-Disposition"] = header.replace("\n", " ").replace("\r", " ")
    return safe_name(message.get_filename(""))


def _decoded(header: str) -> str:
    """All of it as UTF-8, else all of it as Latin-1, as HTTP had it before (RFC 9110, 5.5)."""
    raw = header.encode(errors="surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def safe_name(text: str) -> str:
    """`text` as one component of a path on any file system; "" if nothing of it is left."""
    printable = "".join(
        character
        for character in unicodedata.normalize("NFC", text)
        if unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    )
    name = _NOT_ON_WINDOWS.sub("_", re.split(r"[/\\]", printable)[-1].strip(" ."))
    if _DEVICES.match(name):
        name = f"_{name}"
    stem, dot, suffix = name.rpartition(".")
    room = NAME_BYTES - len(f"{dot}{suffix}".encode())
    if stem and room > 0:
        return stem.encode()[:room].decode(errors="ignore") + dot + suffix
    return name.encode()[:NAME_BYTES].decode(errors="ignore")
