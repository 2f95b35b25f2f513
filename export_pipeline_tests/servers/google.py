"""Google's identity services on loopback: OAuth, the metadata server, STS and IAM's signBlob."""

import asyncio
import base64
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.auth import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from export_pipeline_tests.servers.receiver import running

PROJECT = "archive-tests"
ACCOUNT = f"archive@{PROJECT}.iam.gserviceaccount.com"
SUBJECT_TOKEN = "a token of another cloud"
_TOKEN_AUDIENCE = "https://oauth2.googleapis.com/token"
_SERVICE_ACCOUNT = "/computeMetadata/v1/instance/service-accounts/{account}/"
_FLAVOR = {"metadata-flavor": "Google"}
_IAM = "/v1/projects/-/serviceAccounts/{account}:"


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@dataclass
class Google:
    """One service account, with a key that its owner has and one that only Google has.

    Args:
        url: of all services.
        address: of the service account.
        token_seconds: how long a token lives.
        delay_seconds: how long every answer takes.
        answers: instead of the next ones: status and JSON.
        asked: paths that were asked.
    """

    url: str = ""
    address: str = ACCOUNT
    token_seconds: float = 3600.0
    delay_seconds: float = 0.0
    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    own_key: rsa.RSAPrivateKey = field(default_factory=_new_key)
    managed_key: rsa.RSAPrivateKey = field(default_factory=_new_key)
    _tokens: dict[str, float] = field(default_factory=dict)

    def key_file(self, **changes: str) -> str:
        """The JSON of the account's key, as Google makes it."""
        key = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "1",
            "private_key": _pem(self.own_key),
            "client_email": self.address,
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        }
        return json.dumps(key | changes)

    def another_key(self) -> str:
        """A second private key of the account's, as `private_key` of its JSON."""
        return _pem(self.managed_key)

    def federated(self, subject_token_file: str, *, impersonating: bool) -> str:
        """The JSON of workload identity federation."""
        account = f"{self.url}{_IAM.format(account=self.address)}generateAccessToken"
        return json.dumps(
            {
                "type": "external_account",
                "audience": "//iam.googleapis.com/projects/1/locations/global/pools/p/providers/p",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "token_url": f"{self.url}/sts",
                "credential_source": {"file": subject_token_file},
                **({"service_account_impersonation_url": account} if impersonating else {}),
            }
        )

    def accepts(self, authorization: str) -> bool:
        """Whether this is a token of the account that has not ended."""
        return time.time() < self._tokens.get(authorization.removeprefix("Bearer "), 0.0)

    def end_tokens(self) -> None:
        """Every token ends now."""
        self._tokens.clear()

    def public_keys(self, account: str) -> list[rsa.RSAPublicKey]:
        """The keys with which a signature of the account may be checked."""
        if account != self.address:
            return []
        return [self.own_key.public_key(), self.managed_key.public_key()]

    def app(self) -> Starlette:
        """The services as one app."""
        machine, iam = (path.format(account="{account}") for path in (_SERVICE_ACCOUNT, _IAM))
        posted = {
            "/token": self._token,
            "/sts": self._exchanged,
            f"{iam}generateAccessToken": self._borrowed,
            f"{iam}signBlob": self._signed,
        }
        return Starlette(
            routes=[
                Route("/", self._ping),
                Route("/computeMetadata/v1/project/project-id", self._project),
                Route(machine, self._answering(self._described)),
                Route(f"{machine}token", self._answering(self._machine_token)),
                *(
                    Route(path, self._answering(answer), methods=["POST"])
                    for path, answer in posted.items()
                ),
            ]
        )

    def _answering(self, answer: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            self.asked.append(request.url.path)
            await asyncio.sleep(self.delay_seconds)
            if self.answers:
                status, body = self.answers.pop(0)
                return JSONResponse(body, status)
            return await answer(request)

        return endpoint

    async def _ping(self, request: Request) -> Response:
        return Response(headers=_FLAVOR)

    async def _project(self, request: Request) -> Response:
        return PlainTextResponse(PROJECT, headers=_FLAVOR)

    async def _token(self, request: Request) -> Response:
        assertion = parse_qs(await request.body())[b"assertion"][0]
        public = {
            str(number): key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            for number, key in enumerate((self.own_key, self.managed_key), 1)
        }
        try:
            jwt.decode(assertion, certs=public, audience=_TOKEN_AUDIENCE)
        except ValueError:
            refusal = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            return JSONResponse(refusal, 400)
        return self._new_token()

    async def _exchanged(self, request: Request) -> Response:
        if parse_qs(await request.body())[b"subject_token"] != [SUBJECT_TOKEN.encode()]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        return self._new_token()

    async def _machine_token(self, request: Request) -> Response:
        return self._new_token()

    async def _described(self, request: Request) -> Response:
        return JSONResponse({"email": self.address, "aliases": ["default"], "scopes": []})

    async def _borrowed(self, request: Request) -> Response:
        if not self.accepts(request.headers.get("authorization", "")):
            return _refusal(401, "UNAUTHENTICATED", "Request had invalid credentials.")
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.token_seconds))
        return JSONResponse({"accessToken": self._issued(), "expireTime": ends})

    async def _signed(self, request: Request) -> Response:
        if not self.accepts(request.headers.get("authorization", "")):
            return _refusal(401, "UNAUTHENTICATED", "Request had invalid credentials.")
        if request.path_params["account"] != self.address:
            text = "Permission 'iam.serviceAccounts.signBlob' denied on resource."
            return _refusal(403, "PERMISSION_DENIED", text)
        payload = base64.b64decode((await request.json())["payload"])
        signature = self.managed_key.sign(payload, padding.PKCS1v15(), hashes.SHA256())
        return JSONResponse({"keyId": "2", "signedBlob": base64.b64encode(signature).decode()})

    def _new_token(self) -> Response:
        return JSONResponse(
            {
                "access_token": self._issued(),
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                "token_type": "Bearer",
                "expires_in": int(self.token_seconds),
            }
        )

    def _issued(self) -> str:
        token = f"token-{secrets.token_hex(16)}"
        self._tokens[token] = time.time() + self.token_seconds
        return token


def _refusal(status: int, name: str, text: str) -> Response:
    return JSONResponse({"error": {"code": status, "message": text, "status": name}}, status)


@contextmanager
def running_google() -> Iterator[Google]:
    """Serve the services on a free port."""
    google = Google()
    with running(google.app()) as url:
        google.url = url
        yield google
