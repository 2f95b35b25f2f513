"""Where a bucket is and with which credentials it is used, found by botocore's own rules."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO

import botocore.session
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import BotoCoreError, InvalidRegionError, ProfileNotFound
from urllib3.response import HTTPResponse

from export_pipeline.errors import AccessDenied, ConfigError
from export_pipeline.storage.s3.options import S3Options
from export_pipeline.storage.s3.signing import Keys

DEFAULT_REGION = "us-east-1"
"""The region whose name signs where none is set; Amazon answers with the right one."""


@dataclass(frozen=True)
class Place:
    """One bucket.

    Args:
        bucket: its name.
        url: its address, without a slash at the end.
        region: the region that signatures name.
    """

    bucket: str
    url: str
    region: str


class Chain:
    """Credentials from botocore's default chain, looked for at the first use.

    Args:
        session: already on the right profile.
    """

    def __init__(self, session: botocore.session.Session) -> None:
        self._session = session
        self._lock = threading.Lock()

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
            AccessDenied: there are none, or they cannot be renewed.
        """
        try:
            with self._lock:
                frozen = self._found.get_frozen_credentials()
        except BotoCoreError as error:
            raise AccessDenied(f"S3 credentials cannot be renewed: {error}") from error
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)

    def outlast(self, seconds: float) -> bool | None:
        """Whether the keys hold for so long; None if nobody knows when they end."""
        found = self._found
        if isinstance(found, RefreshableCredentials):
            self.keys()
            return not found.refresh_needed(refresh_in=seconds)
        return True if found.token is None else None

    @cached_property
    def _found(self) -> Credentials:
        try:
            found = self._session.get_credentials()
        except BotoCoreError as error:
            raise AccessDenied(f"no S3 credentials: {error}") from error
        if found is None:
            raise AccessDenied(
                "no S3 credentials: set EXPORT_S3_ACCESS_KEY_ID and EXPORT_S3_SECRET_ACCESS_KEY, or"
                " give this machine a role, a profile or AWS_* variables"
            )
        return found


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


def find(bucket: str, options: S3Options, now: Callable[[], float]) -> tuple[Place, Chain | Fixed]:
    """Find address, region and credentials; reads AWS's configuration files, no network.

    Raises:
        ConfigError: the profile, region or endpoint cannot be used.
    """
    try:
        place = _place(
            bucket, options.profile, options.region, options.endpoint, options.addressing_style
        )
        return place, _credentials(options, now)
    except ProfileNotFound as error:
        name = "EXPORT_S3_PROFILE" if options.profile else "AWS_PROFILE"
        raise ConfigError(f"{name}: {error}; set one of ~/.aws") from None
    except InvalidRegionError as error:
        name = "EXPORT_S3_REGION" if options.region else "AWS_DEFAULT_REGION"
        raise ConfigError(f"{name}: {error}; write it as eu-west-1") from None
    except (BotoCoreError, ValueError) as error:
        raise ConfigError(f"EXPORT_STORAGE_URL: s3://{bucket} cannot be used: {error}") from None


@lru_cache(maxsize=16)
def _place(
    bucket: str, profile: str | None, region: str | None, endpoint: str | None, style: str
) -> Place:
    # Kept, since making a client costs a third of a second.
    client = botocore.session.Session(profile=profile).create_client(
        "s3",
        region_name=region,
        endpoint_url=endpoint,
        # Unsigned, so that no credentials are looked for before they are needed.
        config=Config(signature_version=UNSIGNED, s3={"addressing_style": style}),
    )
    # Not of a signed URL, which botocore sends to Amazon's first region wherever the bucket is.
    addresses: list[str] = []

    def unsent(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        addresses.append(request.url)
        return AWSResponse(request.url, 200, {}, HTTPResponse(BytesIO(), preload_content=False))

    client.meta.events.register("before-send.s3.HeadBucket", unsent)
    client.head_bucket(Bucket=bucket)
    found = client.meta.region_name
    named = DEFAULT_REGION if found in {None, "aws-global"} else found
    return Place(bucket, addresses[0].rstrip("/"), named)


def _credentials(options: S3Options, now: Callable[[], float]) -> Chain | Fixed:
    if options.access_key_id is None or options.secret_access_key is None:
        return Chain(botocore.session.Session(profile=options.profile))
    token = options.session_token
    keys = Keys(
        options.access_key_id,
        options.secret_access_key.get_secret_value(),
        token.get_secret_value() if token else None,
    )
    ends = options.session_expires
    return Fixed(keys, ends.timestamp() if ends else None, now)
