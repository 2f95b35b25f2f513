"""Where a bucket is, found by botocore's own rules."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import botocore.session
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import BotoCoreError, InvalidRegionError, ProfileNotFound
from urllib3.response import HTTPResponse

from export_pipeline.errors import ConfigError
from export_pipeline.storage.s3.credentials import Chain, Fixed
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
        return Chain(options.profile, now)
    token = options.session_token
    keys = Keys(
        options.access_key_id,
        options.secret_access_key.get_secret_value(),
        token.get_secret_value() if token else None,
    )
    ends = options.session_expires
    return Fixed(keys, ends.timestamp() if ends else None, now)
