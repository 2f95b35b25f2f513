"""The vendor's own JavaScript client, unchanged, finds in the sandbox what it expects."""

import json
import subprocess
from pathlib import Path

import pytest

from export_pipeline.sandbox.cloudconvert.webhooks import signature
from export_pipeline_tests.sandbox.cloudconvert.api import Api
from export_pipeline_tests.sandbox.node import require_package

PACKAGE = "cloudconvert"
VERSION = "3.0.0"
SCRIPT = Path(__file__).with_name("official") / "client.mjs"
BODY, SECRET = '{"event": "job.finished", "job": "ü"}', "a secret"


@pytest.fixture(scope="module")
def root() -> str:
    return require_package(PACKAGE, VERSION)


def test_everything_that_it_asks_for_is_answered_as_it_expects(api: Api, root: str) -> None:
    signed = {"body": BODY, "secret": SECRET, "signature": signature(BODY.encode(), SECRET)}
    given = json.dumps({**api.sandbox.addresses, "root": root, **signed})
    done = subprocess.run(
        ["node", str(SCRIPT)], input=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "user": 1,
        "job": ["finished", "node"],
        "files": ["my letter.txt", "my letter.pdf"],
        "sizes": [True, True],
        "found": True,
        "task": "a.txt",
        "included": "import/raw",
        "cancelled": "CANCELLED",
        "missing": ["Not Found", "NOT_FOUND"],
        "verified": True,
    }
