"""The access key of a cloud service app, and the assertion that is signed with it (FACTS 2.1)."""

import json
from base64 import b64decode
from typing import Any

from jwt import PyJWK, encode
from jwt.exceptions import PyJWTError
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Secret,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic.alias_generators import to_camel

from export_pipeline.validation import in_words

AUDIENCE = "laserfiche.com"
ASSERTION_SECONDS = 600
"""FACTS 2.1: an assertion is to end 1 to 60 minutes ahead."""
CLOCK_SKEW_SECONDS = 30
"""Ours: so much may the vendor's clock be behind."""
_ALGORITHM = "ES256"


class AccessKey(BaseModel):
    """What the vendor's developer console exports, base64 of JSON."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True
    )

    client_id: str = Field(min_length=1)
    domain: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")
    jwk: Secret[dict[str, Any]]

    @field_validator("jwk")
    @classmethod
    def _is_signing_key(cls, secret: Secret[dict[str, Any]]) -> Secret[dict[str, Any]]:
        jwk = secret.get_secret_value()
        if not jwk.get("d") or not jwk.get("kid"):
            raise ValueError("its jwk is no private key with a kid")
        try:
            PyJWK(jwk, algorithm=_ALGORITHM)
        except PyJWTError:
            raise ValueError("its jwk is not an EC key on the curve P-256") from None
        return secret

    @classmethod
    def from_text(cls, text: str) -> "AccessKey":
        """Read the base64 text.

        Raises:
            ValueError: it is not what the console exports, and why; without any of it.
        """
        try:
            return cls.model_validate(json.loads(b64decode(text, validate=True)))
        except ValidationError as error:
            reason = in_words(error)
        except (ValueError, RecursionError):
            reason = "it is not base64 of JSON"
        raise ValueError(f"paste the access key as the developer console exports it: {reason}")

    def assertion(self, service_key: SecretStr, now: float) -> str:
        """The client credential with which a token is asked for.

        Args:
            service_key: the service principal key.
            now: seconds since the epoch.
        """
        begins = int(now) - CLOCK_SKEW_SECONDS
        claims = {
            "client_id": self.client_id,
            "client_secret": service_key.get_secret_value(),
            "aud": AUDIENCE,
            "iat": begins,
            "nbf": begins,
            "exp": int(now) + ASSERTION_SECONDS,
        }
        jwk = self.jwk.get_secret_value()
        key = PyJWK(jwk, algorithm=_ALGORITHM).key
        return encode(claims, key, _ALGORITHM, headers={"kid": jwk["kid"]})
