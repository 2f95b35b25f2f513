"""The endpoint at which a machine in Azure asks for its identity's token (App Service's kind)."""

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from export_pipeline_tests.servers.receiver import running

SECRET = "the-header-that-only-this-machine-knows"
OBJECT_ID = "11059fcc-5514-4800-b5f8-49808b9cfab6"
TENANT_ID = "ab1f708d-50f6-404c-a006-d71b2ac7a606"


@dataclass
class Identity:
    """Gives tokens that Azurite takes: it reads them, and does not verify their signature.

    Args:
        url: of the endpoint.
        seconds: how long the next tokens last.
        delay_seconds: how long each takes.
        asked: how many were given.
        refuses: it gives none any more.
    """

    url: str = ""
    seconds: float = 3_600
    delay_seconds: float = 0
    asked: int = 0
    refuses: bool = False
    given: list[str] = field(default_factory=list)

    def variables(self) -> dict[str, str]:
        """What the environment of such a machine says."""
        return {"IDENTITY_ENDPOINT": self.url, "IDENTITY_HEADER": SECRET}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        self.asked += 1
        await asyncio.sleep(self.delay_seconds)
        if self.refuses or request.headers.get("x-identity-header") != SECRET:
            answer = JSONResponse({"error": "no identity has been assigned"}, 400)
        else:
            answer = JSONResponse(self._token(request.query_params["resource"]))
        await answer(scope, receive, send)

    def _token(self, resource: str) -> dict[str, str]:
        now = int(time.time())
        ends = now + int(self.seconds)
        claims = {
            "aud": resource,
            "iss": f"https://sts.windows.net/{TENANT_ID}/",
            "iat": now,
            "nbf": now - 60,
            "exp": ends,
            "oid": OBJECT_ID,
            "tid": TENANT_ID,
            "jti": str(self.asked),
        }
        token = f"{_encoded({'alg': 'none', 'typ': 'JWT'})}.{_encoded(claims)}.{_encoded({})}"
        self.given.append(token)
        return {"access_token": token, "expires_on": str(ends), "token_type": "Bearer"}


@contextmanager
def running_identity() -> Iterator[Identity]:
    """Serve an identity's endpoint in a thread."""
    identity = Identity()
    with running(identity) as url:
        identity.url = f"{url}/msi/token"
        yield identity


def _encoded(part: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
