"""Whether an artifact's bytes in the store are what they should be, by reading each once."""

import asyncio
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, Any, BinaryIO, cast

from export_pipeline.errors import NotFound, Unreadable
from export_pipeline.storage.store import Store
from export_pipeline.transfer.hashing import HashingStream

SPOOL_MEMORY_BYTES = 8 << 20
"""An artifact above this size waits for its opener in a temporary file."""

Opener = Callable[[BinaryIO], dict[str, Any]]


@dataclass(frozen=True)
class Verdict:
    """What reading an artifact back showed.

    Args:
        present: there is an object under its key.
        size_ok: it has the expected size, or none was expected.
        sha256_ok: it has the expected digest, or none was expected.
        opens: its opener could read it.
        size: bytes read.
        sha256: their digest in lower-case hexadecimal, "" if not present.
        details: what the opener learned, e.g. `{"pages": 3}`.
        reason: what is wrong, in words; "" if nothing.
    """

    present: bool
    size_ok: bool
    sha256_ok: bool
    opens: bool
    size: int = 0
    sha256: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.present and self.size_ok and self.sha256_ok and self.opens

    @property
    def checks(self) -> dict[str, str]:
        """Each check by name: `passed`, or the reason why the artifact did not pass."""
        outcomes = {
            "present": self.present,
            "size": self.size_ok,
            "sha256": self.sha256_ok,
            "opens": self.opens,
        }
        return {name: "passed" if ok else self.reason for name, ok in outcomes.items()}


async def verify(
    store: Store,
    key: str,
    opener: Opener,
    *,
    expected_size: int | None = None,
    expected_sha256: str | None = None,
) -> Verdict:
    """Read the object once: count, hash, and let `opener` read it off the event loop.

    Raises:
        StoreError: the store failed; that there is no such object is a verdict instead.
    """
    stream = HashingStream(store.open(key))
    with SpooledTemporaryFile(SPOOL_MEMORY_BYTES) as spool:
        try:
            await _fill(spool, stream)
        except NotFound as error:
            return Verdict(
                present=False, size_ok=False, sha256_ok=False, opens=False, reason=str(error)
            )
        details, unreadable = await asyncio.to_thread(_open, opener, cast("BinaryIO", spool))
    wrong_size = _differs("bytes", stream.size, expected_size)
    wrong_sha256 = _differs("sha256", stream.sha256, expected_sha256)
    return Verdict(
        present=True,
        size_ok=not wrong_size,
        sha256_ok=not wrong_sha256,
        opens=not unreadable,
        size=stream.size,
        sha256=stream.sha256,
        details=details,
        reason="; ".join(filter(None, (wrong_size, wrong_sha256, unreadable))),
    )


async def _fill(spool: IO[bytes], chunks: AsyncIterable[bytes]) -> None:
    written = 0
    async for chunk in chunks:
        written += len(chunk)
        if written > SPOOL_MEMORY_BYTES:
            await asyncio.to_thread(spool.write, chunk)
        else:
            spool.write(chunk)
    spool.seek(0)


def _open(opener: Opener, file: BinaryIO) -> tuple[dict[str, Any], str]:
    try:
        return opener(file), ""
    except Unreadable as error:
        return {}, str(error) or "its bytes do not open as what they should be"


def _differs(what: str, found: object, expected: object | None) -> str:
    if expected is None or found == expected:
        return ""
    return f"{what} {found}, expected {expected}"
