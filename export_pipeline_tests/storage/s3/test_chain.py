"""Sessions that end, as Amazon's default chain gets them: of a process, and of a role."""

import asyncio
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.utils import ContainerMetadataFetcher
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from export_pipeline.errors import AccessDenied, StoreError, StoreUnavailable
from export_pipeline.storage.s3.open import open_store
from export_pipeline_tests.servers.receiver import running
from export_pipeline_tests.storage.conformance import put

pytestmark = pytest.mark.usefixtures("no_credentials")


def vend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *minutes: int) -> Path:
    """Have the default chain run a process, which gives credentials that last so long, in turn.

    It waits while there is a file `shut` beside it.

    Returns:
        A file with a line for each time that it ran.
    """
    runs = tmp_path / "runs"
    vendor = tmp_path / "vend.py"
    vendor.write_text(
        f"""
import json, sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
runs = Path({str(runs)!r})
number = len(runs.read_text().splitlines()) if runs.exists() else 0
with runs.open("a") as file:
    file.write("ran\\n")
while Path({str(tmp_path / "shut")!r}).exists():
    time.sleep(0.01)
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


def test_a_role_that_cannot_be_asked_again_goes_on_with_the_session_at_hand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs = vend(tmp_path, monkeypatch, 20)
    now = time.time()
    store = open_store(urlsplit("s3://bucket"), {}, now=lambda: now)
    for _ in range(2):
        with pytest.raises(StoreError, match="credentials end before a URL of 3000 seconds"):
            store.sign_upload("a", seconds=3_000)
    assert runs.read_text().count("ran") == 2
    assert "AK0" in (store.sign_download("a", seconds=900) or "")


def test_keys_at_hand_sign_while_a_role_is_asked_for_a_longer_session(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The event loop signs with what is at hand, and threads look for more."""
    runs = vend(tmp_path, monkeypatch, 20, 60)
    store = open_store(urlsplit("s3://bucket"), {})
    assert "AK0" in (store.sign_download("a", seconds=900) or "")
    shut = tmp_path / "shut"
    shut.touch()
    with ThreadPoolExecutor(2) as threads:
        longer = threads.submit(store.sign_download, "a", seconds=3_000)
        try:
            while runs.read_text().count("ran") < 2 and not longer.done():
                time.sleep(0.01)
            at_hand = threads.submit(store.sign_download, "b", seconds=900).result(timeout=30)
            assert "AK0" in (at_hand or "")
            assert not longer.done()
        finally:
            shut.unlink()
        assert "AK1" in (longer.result() or "")


@pytest.mark.parametrize(("token", "is_taken"), [("a session's", False), (None, True)])
def test_keys_found_later_are_taken_only_if_their_end_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: str | None, is_taken: bool
) -> None:
    vend(tmp_path, monkeypatch, 20)
    store = open_store(urlsplit("s3://bucket"), {})
    assert "AK0" in (store.sign_download("a", seconds=900) or "")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKSTATIC")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    for _ in range(2):
        if is_taken:
            assert "AKSTATIC" in (store.sign_download("a", seconds=3_000) or "")
        else:
            with pytest.raises(StoreError, match="credentials end before a URL"):
                store.sign_download("a", seconds=3_000)


def test_a_session_that_is_over_when_it_comes_tells_of_the_clock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    vend(tmp_path, monkeypatch, -1, -1)
    store = open_store(urlsplit("s3://bucket"), {})
    with pytest.raises(AccessDenied, match="no S3 credentials: check this machine's clock"):
        store.sign_upload("a", seconds=60)


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


def test_a_container_whose_service_cannot_be_reached_is_no_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/role")
    assert "no S3 credentials at the moment" in refused(StoreUnavailable)


@dataclass
class Metadata:
    """The service of a machine with a role: gives one session, soon over, and then none."""

    asked: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: Response = PlainTextResponse("role")
        if scope["path"].endswith("/role"):
            self.asked += 1
            answer = JSONResponse(_session(), 200 if self.asked == 1 else 503)
        await answer(scope, receive, send)


def _session() -> dict[str, str]:
    # botocore puts off an end that it reads as of this service, which is one in `Z`.
    ends = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    return {"AccessKeyId": "AK", "SecretAccessKey": "s", "Token": "t", "Expiration": ends}


def test_a_machine_whose_session_cannot_be_renewed_at_the_moment_is_not_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "60")
    with running(Metadata()) as url:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
        assert "no S3 credentials at the moment" in refused(StoreUnavailable)


def test_a_machine_whose_service_gives_no_token_is_not_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    monkeypatch.setenv("AWS_EC2_METADATA_V1_DISABLED", "true")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
    assert "no S3 credentials at the moment" in refused(StoreUnavailable)


@pytest.mark.parametrize(
    ("program", "said"), [("/nowhere/vend", "/nowhere/vend"), ("echo hello", "Expecting value")]
)
def test_a_program_that_is_not_there_or_gives_no_json_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, said: str
) -> None:
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(AccessDenied, match=said):
        open_store(urlsplit("s3://bucket"), {}).sign_download("a", seconds=60)
