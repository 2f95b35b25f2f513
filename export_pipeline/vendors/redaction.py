"""Taking credentials out of text that others wrote, before a person reads it."""

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

REDACTED = "[redacted]"
SHORTEST_SECRET_CHARACTERS = 8
"""Shorter values (`1`, `PUT`) carry no authority, and striking them out would maim the text."""

_URL = re.compile(
    r"""\b([a-z][a-z0-9+.-]*://)(?:[^\s/@"'<>]*@)?([^\s/?#"'<>\\]*)[^\s"'<>]*""", re.IGNORECASE
)
_SCHEME = re.compile(r"\b(bearer|basic)\s+[^\s\"',;]+", re.IGNORECASE)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Strike out `secrets`, whatever follows `Bearer`, and of each URL all but its origin.

    A whole path goes, not only the query: the tokens of our own upload URLs lie in the path.
    """
    for secret in sorted(set(secrets), key=len, reverse=True):
        for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1]):
            if len(form) >= SHORTEST_SECRET_CHARACTERS:
                text = text.replace(form, REDACTED)
    text = _URL.sub(rf"\1\2/{REDACTED}", text)
    return _SCHEME.sub(rf"\1 {REDACTED}", text)
