"""The keys that a home holds, each in a file of its own, where the environment gives none."""

import secrets
from collections.abc import Iterable
from pathlib import Path

from export_pipeline.errors import ConfigError

HOME_VARIABLE = "EXPORT_PIPELINE_HOME"
RECEIVER_FILE = "receiver-secret"
TOMBSTONE_FILE = "tombstone-key"
KEY_BYTES = 32


def read_key(file: Path, variable: str) -> str:
    """Read a key; "" where there is none.

    Raises:
        ConfigError: it cannot be read; names the variable that could give it.
    """
    try:
        return file.read_text().strip() if file.exists() else ""
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read ({error.strerror}): run this as the user who made the"
            f" home, or set {variable}"
        ) from None


def make_keys(home: Path, names: Iterable[str]) -> None:
    """Make the home, and in it those keys that it lacks, readable by this user only.

    Raises:
        ConfigError: it cannot be made there.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        for name in names:
            _make(home / name)
    except OSError as error:
        raise ConfigError(
            f"no home can be made at {home} ({error.strerror}): name another folder by"
            f" --home or {HOME_VARIABLE}, or have this user own it"
        ) from None


def _make(file: Path) -> None:
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(KEY_BYTES))
