"""The vendor's own JavaScript client, unchanged, finds in the sandbox what it expects."""

import json
import subprocess
from pathlib import Path

import pytest

from export_pipeline_tests.sandbox.laserfiche.api import Api
from export_pipeline_tests.sandbox.node import require_package

PACKAGE = "@laserfiche/lf-repository-api-client-v2"
VERSION = "1.3.0"
SCRIPTS = Path(__file__).with_name("official")
PAGES = [["Contract", "Invoice 2026-001", "Minutes"], ["Plans"]]


@pytest.fixture(scope="module")
def root() -> str:
    return require_package(PACKAGE, VERSION)


def test_everything_that_it_asks_for_is_answered_as_it_expects(api: Api, root: str) -> None:
    command = ["node", "--import", str(SCRIPTS / "extensions.mjs"), str(SCRIPTS / "client.mjs")]
    given = json.dumps({**api.sandbox.addresses, "root": root})
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told == {
        "repositories": [api.repository],
        "document": ["Document", "Contract", 3],
        "pages": PAGES,
        "reasons": 3,
        "exported": [200, "application/pdf"],
        "task": ["ExportEntry", "Completed", 30_000],
        "found": ["Contract"],
        "closed": True,
        "missing": [404, "Entry with requested ID was not found.", True],
        "renewed": 2,
        "cloud": PAGES,
    }
    assert api.stats()["credentials_at_files"] == 0
