"""Sessions that end, as Amazon's default chain gets them: of a process, and of a role."""

import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from export_pipeline.errors import AccessDenied, StoreError, StoreUnavailable
from export_pipeline.storage.s3.open import open_store
from export_pipeline_tests.servers.receiver import running
from export_pipeline_tests.storage.conformance import put

pytestmark = pytest.mark.usefixtures("no_credentials")


def vend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *minutes: int) -> Path:
    """Have the default chain run a process, which gives credentials that last so long, in turn.

    Returns:
        A file with a line for each time that it ran.
    """
    runs = tmp_path / "runs"
    vendor = tmp_path / "vend.py"
    vendor.write_text(
        f"""
import json, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
runs = Path({str(runs)!r})
number = len(runs.read_text().splitlines()) if runs.exists() else 0
with runs.open("a") as file:
    file.write("ran\\n")
minutes = {minutes!r}
if number >= len(minutes):
    sys.exit("no more")
ends = datetime.now(UTC) + timedelta(minutes=minutes[number])
print(json.dumps({{
    "Version": 1, "AccessKeyId": f"AK{{number}}", "SecretAccessKey": "secret",
    "SessionToken": "token", "Expiration": ends.isoformat(),
}}))
"""
    )
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {sys.executable} {vendor}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return runs


def test_a_role_whose_session_ends_too_soon_for_a_url_is_asked_for_a_new_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """botocore waits until 15 minutes before the end, and no order would be sent meanwhile."""
    runs = vend(tmp_path, monkeypatch, 20, 60)
    store = open_store(urlsplit("s3://bucket"), {})
    assert "AK0" in (store.sign_download("a", seconds=900) or "")
    assert "AK1" in (store.sign_download("a", seconds=3_000) or "")
    assert "AK1" in (store.sign_download("b", seconds=3_000) or "")
    assert runs.read_text().count("ran") == 2


def test_a_role_that_gives_no_longer_session_is_asked_once_a_minute_and_its_own_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs = vend(tmp_path, monkeypatch, 20, 20, 60)
    now = [time.time()]
    store = open_store(urlsplit("s3://bucket"), {}, now=lambda: now[0])
    for _ in range(3):
        with pytest.raises(StoreError, match="credentials end before a URL of 3000 seconds"):
            store.sign_upload("a", seconds=3_000)
    assert "AK0" in (store.sign_download("a", seconds=900) or "")
    assert runs.read_text().count("ran") == 2
    now[0] += 60
    assert "AK2" in (store.sign_download("a", seconds=3_000) or "")


def test_a_role_that_cannot_be_asked_again_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    vend(tmp_path, monkeypatch, 20)
    store = open_store(urlsplit("s3://bucket"), {})
    with pytest.raises(AccessDenied, match=r"no S3 credentials: .*custom-process"):
        store.sign_upload("a", seconds=3_000)
    assert store.sign_upload("a", seconds=900) is not None


@dataclass
class Sts:
    """Refuses every role, as Amazon's token service does."""

    status: int = 403
    code: str = "AccessDenied"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (
            f"<ErrorResponse><Error><Code>{self.code}</Code><Message>Not authorized to perform"
            " sts:AssumeRoleWithWebIdentity</Message></Error><RequestId>STS-1</RequestId>"
            "</ErrorResponse>"
        )
        await Response(body, self.status, media_type="text/xml")(scope, receive, send)


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sts]:
    """Of a machine with a role that Kubernetes gives it."""
    token = tmp_path / "token"
    token.write_text("very-secret-token")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/archive")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    service = Sts()
    with running(service) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        yield service


def refused(error: type[StoreError]) -> str:
    store = open_store(urlsplit("s3://bucket/p"), {}, sleep=lambda _: asyncio.sleep(0))
    with pytest.raises(StoreError) as told:
        asyncio.run(put(store, "a"))
    assert type(told.value) is error
    with pytest.raises(error):
        store.sign_upload("a", seconds=60)
    assert "very-secret-token" not in str(told.value)
    return str(told.value)


def test_a_role_that_is_refused_is_told_in_the_words_of_the_token_service(sts: Sts) -> None:
    told = refused(AccessDenied)
    assert told.startswith("no S3 credentials: ")
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in told
    assert "request id STS-1" in told


@pytest.mark.parametrize(("status", "code"), [(503, "ServiceUnavailable"), (400, "Throttling")])
def test_a_token_service_that_is_busy_is_no_refusal(sts: Sts, status: int, code: str) -> None:
    sts.status, sts.code = status, code
    assert "no S3 credentials at the moment" in refused(StoreUnavailable)


def test_a_token_service_that_cannot_be_reached_is_no_refusal(
    sts: Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    assert "no S3 credentials at the moment" in refused(StoreUnavailable)
