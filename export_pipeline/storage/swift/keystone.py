"""Logging in at Keystone: a token, and where Swift is (OpenStack: "Identity API v3")."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

from export_pipeline.errors import StoreError
from export_pipeline.storage.http import Answer, Http
from export_pipeline.storage.swift.options import SwiftOptions
from export_pipeline.storage.swift.words import explain_login

RENEW_SECONDS = 60.0
"""A token with less time left is renewed before its next use."""
SERVICE = "object-store"


@dataclass(frozen=True)
class Login:
    """What Keystone gave.

    Args:
        token: goes with every call.
        url: of the project's account in Swift, without a slash at the end.
        public_url: the same, as others reach it.
        ends: when to log in anew, in seconds since the epoch.
    """

    token: str = field(repr=False)
    url: str
    public_url: str
    ends: float


class Keystone:
    """Logs in when a token is first needed, before it ends, and when Swift refuses it.

    Args:
        options: who logs in, and which of Swift's addresses is wanted.
        http: sends.
        now: seconds since the epoch.
    """

    def __init__(self, options: SwiftOptions, http: Http, now: Callable[[], float]) -> None:
        self._options = options
        self._http = http
        self._now = now
        self._held: Login | None = None
        self._under_way: dict[asyncio.AbstractEventLoop, asyncio.Task[Login]] = {}

    async def login(self, refused: Login | None = None) -> Login:
        """Return the login that all calls share.

        Args:
            refused: what Swift does not accept any more.

        Raises:
            StoreError: see `words.explain_login`; or the project has no such Swift.
        """
        held = self._held
        if held is not None and held is not refused and self._now() < held.ends:
            return held
        return await asyncio.shield(self._renewal())

    def _renewal(self) -> asyncio.Task[Login]:
        """Log in once for all who wait; none of them ends it by being cancelled."""
        loop = asyncio.get_running_loop()
        if loop not in self._under_way:
            self._under_way[loop] = loop.create_task(self._log_in())
            self._under_way[loop].add_done_callback(lambda _: self._under_way.pop(loop))
        return self._under_way[loop]

    async def _log_in(self) -> Login:
        body = json.dumps(self._options.login()).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        asked_at = self._now()
        url = f"{self._options.auth_url}/v3/auth/tokens"
        answer = await self._http.send("POST", url, headers, [body])
        if answer.status != HTTPStatus.CREATED:
            raise explain_login(answer, self._options.auth_url)
        self._held = read_login(answer, self._options, asked_at)
        return self._held


def read_login(answer: Answer, options: SwiftOptions, asked_at: float) -> Login:
    """Read what Keystone gave; the token's life is counted from `asked_at`, by our clock.

    Raises:
        StoreError: it is no answer of Keystone's, or names no Swift as it was asked for.
    """
    try:
        token = json.loads(answer.body)["token"]
        begins, ends = (datetime.fromisoformat(token[end]) for end in ("issued_at", "expires_at"))
        life = (ends - begins).total_seconds()
        endpoints = find_swift(token.get("catalog", []))
        url = choose(endpoints, options.interface, options.region)
        if url is None:
            raise StoreError(_no_swift(endpoints, options))
        public_url = choose(endpoints, "public", options.region) or url
        token_id = answer.headers["x-subject-token"]
        return Login(token_id, url, public_url, asked_at + life - RENEW_SECONDS)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{options.auth_url} gives no token of Keystone v3 ({type(error).__name__}): check"
            " EXPORT_SWIFT_AUTH_URL"
        ) from None


def find_swift(catalog: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the addresses of the project's account that Keystone's catalog has."""
    services = [service for service in catalog if service["type"] == SERVICE]
    return [endpoint for service in services for endpoint in service["endpoints"]]


def choose(endpoints: list[dict[str, Any]], interface: str, region: str | None) -> str | None:
    """Return the address of that interface and region, None if there is none.

    Args:
        region: its name or id; None for whichever is first.
    """
    for endpoint in endpoints:
        is_there = region in {None, endpoint.get("region"), endpoint.get("region_id")}
        if is_there and endpoint["interface"] == interface:
            url: str = endpoint["url"]
            return url.rstrip("/")
    return None


def _no_swift(endpoints: list[dict[str, Any]], options: SwiftOptions) -> str:
    where = f"{options.auth_url} knows no {options.interface} address of Swift"
    regions = {
        str(endpoint.get("region"))
        for endpoint in endpoints
        if endpoint["interface"] == options.interface
    }
    if regions:
        known = ", ".join(sorted(regions))
        return f"{where} in region {options.region!r}, but in {known}: set EXPORT_SWIFT_REGION"
    if options.tenant_name is None:
        return f"{where} for a user without a project: set EXPORT_SWIFT_TENANT_NAME"
    return f"{where} for project {options.tenant_name!r}: check EXPORT_SWIFT_INTERFACE"
