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


def file_name(disposition: str) -> str:
    """The file's own name, without folders and control characters; "" if none is told."""
    extended = _EXTENDED.search(disposition)
    if extended:
        return safe_name(unquote(extended[2], extended[1], errors="replace"))
    message = Message()
    message["Content-Disposition"] = disposition.replace("\n", " ").replace("\r", " ")
    return safe_name(message.get_filename(""))


def safe_name(text: str) -> str:
    """`text` as one component of a path on any file system; "" if nothing of it is left."""
    printable = "".join(
        character
        for character in unicodedata.normalize("NFC", text)
        if unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    )
    name = re.split(r"[/\\]", printable)[-1].strip(" .")
    stem, dot, suffix = name.rpartition(".")
    room = NAME_BYTES - len(f"{dot}{suffix}".encode())
    if stem and room > 0:
        return stem.encode()[:room].decode(errors="ignore") + dot + suffix
    return name.encode()[:NAME_BYTES].decode(errors="ignore")
