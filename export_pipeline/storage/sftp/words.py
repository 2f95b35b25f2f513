"""What an SFTP server answers, in words: which error it is, and what to do about it."""

from collections.abc import Mapping

import asyncssh

from export_pipeline.errors import (
    AccessDenied,
    AlreadyExists,
    NotFound,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from export_pipeline.storage.sftp.place import Login, Place
from export_pipeline.storage.sftp.trust import Handshake, Trust

MAX_NAME_BYTES = 255
"""Longest name of a file on most file systems (Linux's limits.h, NAME_MAX)."""
LITTLE_ROOM_BYTES = 1 << 20
"""A write that fails with less room than this, and for no reason told, found a full disk."""

Reason = tuple[type[StoreError], str]
Broken = asyncssh.Error | OSError
"""What asyncssh raises: an answer that is an error, or the end of a connection."""

_BY_TEXT: Mapping[str, type[asyncssh.SFTPError]] = {
    "no space": asyncssh.SFTPNoSpaceOnFilesystem,
    "disk full": asyncssh.SFTPNoSpaceOnFilesystem,
    "quota": asyncssh.SFTPQuotaExceeded,
    "read-only": asyncssh.SFTPWriteProtect,
    "name too long": asyncssh.SFTPInvalidFilename,
}
"""SFTP 3 has no codes for these; some servers put the words of their system into a failure."""
LOST = (asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost)
"""Among asyncssh's errors of SFTP, those that are no answer."""
_UNFIT = (asyncssh.ProtocolError, asyncssh.ProtocolNotSupported, asyncssh.KeyExchangeFailed)


def explain(error: Broken, place: Place, action: str, key: str, room: int | None) -> StoreError:
    """Return the error that this answer, or the lack of one, is.

    Args:
        error: what asyncssh raised.
        place: the archive's folder.
        action: what was done, such as `writing`.
        key: of the object.
        room: bytes that are free on the server's disk; None if that was not asked.
    """
    if isinstance(error, asyncssh.SFTPError) and not isinstance(error, LOST):
        kind, words = _answered(error, place, key, room)
    else:
        kind, words = StoreUnavailable, f"the connection was lost: {_told(error)}"
    return kind(f"{action} {key!r} in {place.url}: {words}")


def _answered(error: asyncssh.SFTPError, place: Place, key: str, room: int | None) -> Reason:
    text = error.reason.lower()
    kind = next((kind for part, kind in _BY_TEXT.items() if part in text), type(error))
    if isinstance(error, asyncssh.SFTPFailure) and room is not None and room < LITTLE_ROOM_BYTES:
        kind = asyncssh.SFTPNoSpaceOnFilesystem
    unknown = f"the server refuses it ({_told(error)}): look at its log, and at that user's quota"
    return _reasons(place, key).get(kind) or (StoreError, unknown)


def _reasons(place: Place, key: str) -> Mapping[type[asyncssh.SFTPError], Reason]:
    user = repr(place.user)
    longest = max(len(part.encode(errors="surrogateescape")) for part in key.split("/"))
    missing = NotFound, "there is no such file or folder"
    name = (
        f"the server takes no such name: its longest part has {longest} bytes, and most file"
        f" systems take {MAX_NAME_BYTES}"
    )
    return {
        asyncssh.SFTPNoSuchFile: missing,
        asyncssh.SFTPNoSuchPath: missing,
        asyncssh.SFTPNotADirectory: missing,
        asyncssh.SFTPFileAlreadyExists: (
            AlreadyExists,
            "there is something already; it was left as it is",
        ),
        asyncssh.SFTPPermissionDenied: (
            AccessDenied,
            f"permission denied: let user {user} read and write there",
        ),
        asyncssh.SFTPWriteProtect: (
            AccessDenied,
            "its file system is read-only: mount it for writing",
        ),
        asyncssh.SFTPNoSpaceOnFilesystem: (StoreFull, "the disk is full: make room there"),
        asyncssh.SFTPQuotaExceeded: (
            StoreFull,
            f"the quota of user {user} is used up: raise it, or make room there",
        ),
        asyncssh.SFTPInvalidFilename: (StoreError, name),
        # OpenSSH's answer to a name that is too long (sftp-server.c, errno_to_portable).
        asyncssh.SFTPBadMessage: (StoreError, name),
    }


def no_folder(place: Place) -> StoreError:
    """Return the error that the archive's own folder is missing, or is none."""
    return StoreError(
        f"there is no folder {place.folder or '/'!r} on {place.address} as user {place.user!r} sees"
        " it: make it, or set EXPORT_STORAGE_URL right"
    )


def explain_login(
    error: Broken, place: Place, login: Login, trust: Trust, seen: Handshake
) -> StoreError:
    """Return the error for which there is no connection."""
    kind, words = (
        _untrusted(error, trust, seen)
        or _refused(error, place, login)
        or _unfit(error)
        or _absent(error)
    )
    return kind(f"{place.address} {words}")


def _untrusted(error: Broken, trust: Trust, seen: Handshake) -> Reason | None:
    if not isinstance(error, asyncssh.HostKeyNotVerifiable):
        return None
    if seen.shown is None:
        return StoreError, f"cannot be trusted: {error.reason}"
    shown = _named(seen.shown)
    if seen.expected:
        known = ", ".join(dict.fromkeys(map(_named, seen.expected)))
        return StoreError, (
            f"cannot be trusted: its HOST KEY HAS CHANGED. Known is {known}; it shows {shown}."
            " Somebody may stand between: ask its administrator, and only if the key was renewed"
            f" put the new one into {trust.source}"
        )
    line = " ".join(seen.shown.export_public_key().decode().split()[:2])
    return StoreError, (
        f"cannot be trusted: its host key is not in {trust.source}. It shows {shown}; if its"
        f" administrator tells you the same, set EXPORT_SFTP_HOST_KEY={line!r}"
    )


def _refused(error: Broken, place: Place, login: Login) -> Reason | None:
    is_refusal = isinstance(error, asyncssh.PermissionDenied | asyncssh.IllegalUserName)
    # OpenSSH's word once it was shown more keys than it allows (MaxAuthTries).
    if is_refusal or "authentication failures" in _told(error):
        return AccessDenied, (
            f"refuses to let user {place.user!r} in; tried: {login.words}. Set the right one, or"
            " have the server take it"
        )
    if isinstance(error, asyncssh.ChannelOpenError | asyncssh.SFTPBadMessage):
        return StoreError, (
            f"lets user {place.user!r} in and gives no SFTP ({_told(error)}): enable its SFTP"
            " subsystem for that user"
        )
    return None


def _unfit(error: Broken) -> Reason | None:
    if not isinstance(error, _UNFIT):
        return None
    return StoreError, (
        f"does not speak SSH as we do: {_told(error)}; is the port in EXPORT_STORAGE_URL right?"
    )


def _absent(error: Broken) -> Reason:
    return StoreUnavailable, (
        f"gives no connection: {_told(error)}; is it up, and EXPORT_STORAGE_URL right?"
    )


def _named(key: asyncssh.SSHKey) -> str:
    return f"{key.get_algorithm()} {key.get_fingerprint()}"


def _told(error: Broken) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error.reason) or type(error).__name__
