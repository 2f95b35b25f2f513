"""Who may log in, self-hosted or as a cloud service app, and the tokens given out (FACTS 2.1)."""

import base64
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.laserfiche.errors import ProblemError, unauthorized
from export_pipeline.sandbox.laserfiche.options import Account

SELF_HOSTED_SECONDS = 900
CLOUD_SECONDS = 43_200
AUDIENCE = "laserfiche.com"
READ = "repository.Read"
READING_SCOPES = {READ, "repository.ReadWrite"}
_SECRET = "laserfiche sandbox access tokens, 32 bytes"  # noqa: S105  of the sandbox


@dataclass(frozen=True)
class Token:
    """A token given out; `scopes` is None for self-hosted ones, which have none."""

    text: str
    account: str
    expires: float
    scopes: frozenset[str] | None

    @property
    def may_read(self) -> bool:
        """Whether it may list, search and export."""
        return self.scopes is None or bool(self.scopes & READING_SCOPES)


class Accounts:
    """Gives out tokens and knows them again."""

    def __init__(self, clock: Clock, accounts: Sequence[Account]) -> None:
        self._clock = clock
        self._accounts = accounts
        self._tokens: dict[str, Token] = {}
        self._numbers = itertools.count(1)

    def by_password(self, form: Mapping[str, str]) -> dict[str, Any]:
        """A self-hosted token as answered on the wire."""
        if form.get("grant_type") != "password":
            raise _refused(400, "unsupported_grant_type", "Only the grant type password is known.")
        name, password = form.get("username", ""), form.get("password", "").encode()
        for account in self._accounts:
            if account.username == name and compare_digest(account.password.encode(), password):
                return self._give(account, SELF_HOSTED_SECONDS, None)
        raise ProblemError(401, "The user name or the password is wrong.")

    def by_assertion(self, form: Mapping[str, str], authorization: str | None) -> dict[str, Any]:
        """A cloud token as answered on the wire."""
        if form.get("grant_type") != "client_credentials":
            text = "Only the grant type client_credentials is known."
            raise _refused(400, "unsupported_grant_type", text)
        scheme, _, assertion = (authorization or "").partition(" ")
        account = self._of_assertion(assertion) if scheme.lower() == "bearer" else None
        if account is None:
            raise _refused(401, "invalid_client", "The client credential is not valid.")
        scopes = frozenset(form.get("scope", "").split())
        return self._give(account, CLOUD_SECONDS, scopes)

    def of(self, authorization: str | None) -> Token:
        """The token of a request; a missing, unknown or expired one is a 401."""
        scheme, _, text = (authorization or "").partition(" ")
        token = self._tokens.get(text)
        if scheme.lower() != "bearer" or token is None or token.expires <= self._clock.now():
            raise unauthorized()
        return token

    def revoke(self) -> None:
        """End every token now."""
        self._tokens.clear()

    def _give(
        self, account: Account, seconds: int, scopes: frozenset[str] | None
    ) -> dict[str, Any]:
        now = self._clock.now()
        claims = {
            "aud": AUDIENCE,
            "name": account.username,
            "csid": "123456789",
            "trid": "1008",
            "jti": str(next(self._numbers)),
            "exp": int(now) + seconds,
        }
        text = jwt.encode(claims, _SECRET, "HS256")
        self._tokens[text] = Token(text, account.username, now + seconds, scopes)
        told = {"access_token": text, "expires_in": seconds, "token_type": "bearer"}
        return told if scopes is None else {**told, "scope": " ".join(sorted(scopes))}

    def _of_assertion(self, assertion: str) -> Account | None:
        for account in self._accounts:
            claims = self._claims(account, assertion)
            service_key = claims.get("client_secret", "")
            is_known = service_key == account.service_key if account.service_key else service_key
            if claims.get("client_id") == account.client_id and is_known:
                return account
        return None

    def _claims(self, account: Account, assertion: str) -> dict[str, Any]:
        """The claims if the account's key signed them and they hold now, by the sandbox's clock."""
        try:
            known = jwt.get_unverified_header(assertion).get("kid") == _kid(account)
            claims: dict[str, Any] = jwt.decode(
                assertion,
                private_key(account).public_key(),
                algorithms=["ES256"],
                audience=AUDIENCE,
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            return {}
        now = self._clock.now()
        is_live = claims.get("nbf", 0) <= now < claims.get("exp", float("inf"))
        return claims if known and is_live else {}


def private_key(account: Account) -> ec.EllipticCurvePrivateKey:
    """The service app's key."""
    return ec.derive_private_key(account.key_number, ec.SECP256R1())


def access_key(account: Account) -> str:
    """The service app's key as the developer console exports it: base64 of JSON."""
    numbers = private_key(account).private_numbers()
    public = numbers.public_numbers
    points = {"x": public.x, "y": public.y, "d": numbers.private_value}
    jwk: dict[str, Any] = {"kty": "EC", "crv": "P-256", "use": "sig", "kid": _kid(account)}
    jwk |= {name: _base64url(value) for name, value in points.items()}
    told = {
        "customerId": "123456789",
        "clientId": account.client_id,
        "domain": AUDIENCE,
        "jwk": {**jwk, "iat": 0},
    }
    return base64.b64encode(json.dumps(told).encode()).decode()


def _kid(account: Account) -> str:
    return f"kid-{account.client_id}"


def _base64url(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32)).rstrip(b"=").decode()


def _refused(status: int, error: str, description: str) -> ProblemError:
    told = {"error": error, "error_description": description, "instance": "/token"}
    return ProblemError(status, error, more={**told, "type": error})
