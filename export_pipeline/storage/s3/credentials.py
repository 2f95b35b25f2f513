"""The keys that sign, found by botocore's default chain or set, and how long they last."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from http import HTTPStatus

from botocore.credentials import (
    ContainerProvider,
    Credentials,
    InstanceMetadataProvider,
    RefreshableCredentials,
)
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    MetadataRetrievalError,
)
from botocore.exceptions import ConnectionError as Unconnected
from botocore.session import Session

from export_pipeline.errors import AccessDenied, StoreError, StoreUnavailable
from export_pipeline.storage.s3.signing import Keys

REST_SECONDS = 60.0
"""Between two looks for credentials that last longer than those at hand."""
_BUSY = {"Throttling", "ThrottlingException", "RequestLimitExceeded"}
_SERVER_ERRORS = HTTPStatus.INTERNAL_SERVER_ERROR
_METADATA_SERVICES = {ContainerProvider.METHOD, InstanceMetadataProvider.METHOD}
_UNANSWERED = (HTTPClientError, MetadataRetrievalError, Unconnected)


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
        self._looking = threading.Lock()
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

        botocore itself renews them only shortly before they end. If the look fails, those at hand
        go on.

        Raises:
            StoreError: see `keys`.
        """
        self.keys()
        if not self.signs:
            return None
        return _last(self._found, seconds) or self._look_again(seconds)

    def _look_again(self, seconds: float) -> bool:
        # Not under the lock of `keys`: the event loop signs with those at hand meanwhile.
        with self._looking:
            if self._now() >= self._rests_until:
                self._rests_until = self._now() + REST_SECONDS
                # What is wrong is told by `keys`, once those at hand end.
                with suppress(StoreError):
                    self._take_longer(seconds)
            return _last(self._found, seconds)

    def _take_longer(self, seconds: float) -> None:
        with _explained():
            newer = self._look()
            newer.get_frozen_credentials()
        if _last(newer, seconds):
            with self._lock:
                self._found = newer

    @cached_property
    def _found(self) -> Credentials:
        return self._look()

    def _look(self) -> Credentials:
        found = Session(profile=self._profile).get_credentials()
        if found is None:
            raise AccessDenied(
                "no S3 credentials: set EXPORT_S3_ACCESS_KEY_ID and EXPORT_S3_SECRET_ACCESS_KEY, or"
                " give this machine a role, a profile or AWS_* variables"
            )
        return found


def _last(found: Credentials, seconds: float) -> bool:
    if isinstance(found, RefreshableCredentials):
        return not found.refresh_needed(seconds)
    return found.token is None


@contextmanager
def _explained() -> Iterator[None]:
    """Tell in words why boto gets no credentials, of a file or of a service of Amazon's."""
    try:
        yield
    except BotoCoreError as error:
        raise _lack(str(error), may_pass=_is_unanswered(error)) from error
    except ClientError as error:
        answer = error.response["ResponseMetadata"]
        told = f"{error} (request id {answer.get('RequestId', 'none')})"
        is_failure = answer["HTTPStatusCode"] >= _SERVER_ERRORS
        may_pass = is_failure or error.response["Error"]["Code"] in _BUSY
        raise _lack(told, may_pass=may_pass) from error
    except RuntimeError as error:  # how botocore tells of keys that are over when they come
        told = f"check this machine's clock, or who gives them: {error}"
        raise _lack(told, may_pass=False) from error
    except (OSError, ValueError) as error:  # a token's file, or a program, that AWS_* names
        raise _lack(str(error), may_pass=False) from error


def _lack(told: str, *, may_pass: bool) -> StoreError:
    if may_pass:
        return StoreUnavailable(f"no S3 credentials at the moment: {told}")
    return AccessDenied(f"no S3 credentials: {told}")


def _is_unanswered(error: BotoCoreError) -> bool:
    # Whatever a machine's or a container's service lacks, botocore tells it with the same error.
    is_of_metadata = error.kwargs.get("provider") in _METADATA_SERVICES
    return is_of_metadata or isinstance(error, _UNANSWERED)


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
