"""Whether an artifact's bytes in the store are what they should be, by reading each once."""

import asyncio
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, Any, BinaryIO, cast

from export_pipeline.errors import Doubtful, NotFound, Unreadable
from export_pipeline.storage.hashing import HashingStream
from export_pipeline.storage.store import Store

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
        opens: its opener could read it, or has doubts that do not count against it.
        size: bytes read.
        sha256: their digest in lower-case hexadecimal, "" if not present.
        details: what the opener learned, e.g. `{"pages": 3}`.
        doubt: why it does not open although it is as the vendor has it; "" if it does.
        reason: what is wrong, in words; "" if nothing.
    """

    present: bool
    size_ok: bool
    sha256_ok: bool
    opens: bool
    size: int = 0
    sha256: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    doubt: str = ""
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.present and self.size_ok and self.sha256_ok and self.opens

    @property
    def checks(self) -> dict[str, str]:
        """Each check by name: `passed`, or why not; a doubt is told, and fails nothing."""
        outcomes = {
            "present": self.present,
            "size": self.size_ok,
            "sha256": self.sha256_ok,
            "opens": self.opens,
        }
        verdicts = {name: "passed" if ok else self.reason for name, ok in outcomes.items()}
        return {**verdicts, "opens": f"kept as it came: {self.doubt}"} if self.doubt else verdicts


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
        opened = await asyncio.to_thread(_open, opener, cast("BinaryIO", spool))
    wrong_size = _differs("bytes", stream.size, expected_size)
    wrong_sha256 = _differs("sha256", stream.sha256, expected_sha256)
    return Verdict(
        present=True,
        size_ok=not wrong_size,
        sha256_ok=not wrong_sha256,
        opens=not opened.flaw,
        size=stream.size,
        sha256=stream.sha256,
        details=opened.details,
        doubt=opened.doubt,
        reason="; ".join(filter(None, (wrong_size, wrong_sha256, opened.flaw))),
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


@dataclass(frozen=True)
class _Opened:
    details: dict[str, Any] = field(default_factory=dict)
    doubt: str = ""
    flaw: str = ""


def _open(opener: Opener, file: BinaryIO) -> _Opened:
    try:
        return _Opened(opener(file))
    except Doubtful as error:
        return _Opened(doubt=str(error))
    except Unreadable as error:
        return _Opened(flaw=str(error) or "its bytes do not open as what they should be")


def _differs(what: str, found: object, expected: object | None) -> str:
    if expected is None or found == expected:
        return ""
    return f"{what} {found}, expected {expected}"
