"""What exported files are called in a store (seed 003)."""

import re
from collections.abc import Sequence

from export_pipeline.sandbox.cloudconvert.tasks import MadeFile

_PLACEHOLDER = re.compile(r"%(0?\d*)d")


def stored_names(files: Sequence[MadeFile], pattern: str, prefix: str) -> list[str]:
    """The name of each file: by `pattern` if there is one, else its own after `prefix`.

    A printf placeholder in the pattern is the file's number, from 1. Without it all files of
    several have one name, and the last one stays.
    """
    if not pattern:
        return [prefix + file.filename for file in files]
    return [_numbered(pattern, number) for number in range(1, len(files) + 1)]


def _numbered(pattern: str, number: int) -> str:
    return _PLACEHOLDER.sub(lambda found: format(number, f"{found[1]}d"), pattern)
