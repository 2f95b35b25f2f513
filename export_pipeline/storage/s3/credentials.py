"""The keys that sign, found by botocore's default chain or set, and how long they last."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from http import HTTPStatus

from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as Unconnected
from botocore.session import Session

from export_pipeline.errors import AccessDenied, StoreUnavailable
from export_pipeline.storage.s3.signing import Keys

REST_SECONDS = 60.0
"""Between two looks for credentials that last longer than those at hand."""
_BUSY = {"Throttling", "ThrottlingException", "RequestLimitExceeded"}
_SERVER_ERRORS = HTTPStatus.INTERNAL_SERVER_ERROR


class Chain:
    """Credentials from botocore's default chain, looked for at the first use.

    Args:
        profile: of ~/.aws; None for the default one.
        now: seconds since the epoch.
    """

    def __init__(self, profile: str | None, now: Callable[[], float]) -> None:
        self._profile = profile
        self._now = now
        self._lock = threading.Lock()
        self._rests_until = 0.0

    @property
    def is_at_hand(self) -> bool:
        """Whether `keys` needs no look at files or the network."""
        if "_found" not in self.__dict__:
            return False
        found = self._found
        return not (isinstance(found, RefreshableCredentials) and found.refresh_needed())

    @property
    def signs(self) -> bool:
        """Whether a signed URL's end can be told; taken for granted until they are looked for."""
        found = self.__dict__.get("_found")
        is_renewed = isinstance(found, RefreshableCredentials)
        return found is None or is_renewed or found.token is None

    def keys(self) -> Keys:
        """Return the keys as they are now, fetched anew if they end soon; may block.

        Raises:
            AccessDenied: there are none, or who gives them refuses.
            StoreUnavailable: who gives them cannot be asked now.
        """
        with self._lock, _explained():
            frozen = self._found.get_frozen_credentials()
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)

    def outlast(self, seconds: float) -> bool | None:
        """Whether the keys hold for so long, after a look for others; None if nobody knows.

        botocore itself renews them only shortly before they end.

        Raises:
            StoreError: see `keys`.
        """
        if not isinstance(self._found, RefreshableCredentials):
            return True if self._found.token is None else None
        self.keys()
        return _last(self._found, seconds) or self._look_again(seconds)

    def _look_again(self, seconds: float) -> bool:
        with self._lock, _explained():
            if self._now() >= self._rests_until:
                self._rests_until = self._now() + REST_SECONDS
                newer = self._look()
                newer.get_frozen_credentials()
                if _last(newer, seconds):
                    self._found = newer
            return _last(self._found, seconds)

    @cached_property
    def _found(self) -> Credentials:
        return self._look()

    def _look(self) -> Credentials:
        with _explained():
            found = Session(profile=self._profile).get_credentials()
        if found is None:
            raise AccessDenied(
                "no S3 credentials: set EXPORT_S3_ACCESS_KEY_ID and EXPORT_S3_SECRET_ACCESS_KEY, or"
                " give this machine a role, a profile or AWS_* variables"
            )
        return found


def _last(found: Credentials, seconds: float) -> bool:
    return not (isinstance(found, RefreshableCredentials) and found.refresh_needed(seconds))


@contextmanager
def _explained() -> Iterator[None]:
    """Tell in words why boto gets no credentials, of a file or of Amazon's token service."""
    try:
        yield
    except (HTTPClientError, Unconnected) as error:
        raise StoreUnavailable(f"no S3 credentials at the moment: {error}") from error
    except BotoCoreError as error:
        raise AccessDenied(f"no S3 credentials: {error}") from error
    except ClientError as error:
        answer = error.response["ResponseMetadata"]
        told = f"{error} (request id {answer.get('RequestId', 'none')})"
        if answer["HTTPStatusCode"] >= _SERVER_ERRORS or error.response["Error"]["Code"] in _BUSY:
            raise StoreUnavailable(f"no S3 credentials at the moment: {told}") from error
        raise AccessDenied(f"no S3 credentials: {told}") from error


class Fixed:
    """Credentials that were set.

    Args:
        keys: what was set.
        ends: seconds since the epoch; None for never, or for a session token: nobody knows.
        now: seconds since the epoch.
    """

    is_at_hand = True

    def __init__(self, keys: Keys, ends: float | None, now: Callable[[], float]) -> None:
        self._keys = keys
        self._ends = ends
        self._now = now

    @property
    def signs(self) -> bool:
        """Whether a signed URL's end can be told."""
        return self.outlast(0) is not None

    def keys(self) -> Keys:
        """Return the keys."""
        return self._keys

    def outlast(self, seconds: float) -> bool | None:
        """Whether the keys hold for so long; None if nobody knows when they end."""
        if self._ends is not None:
            return self._now() + seconds <= self._ends
        return True if self._keys.session_token is None else None
