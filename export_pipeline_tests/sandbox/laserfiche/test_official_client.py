"""The vendor's own JavaScript client, unchanged, finds in the sandbox what it expects."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from export_pipeline_tests.sandbox.laserfiche.api import Api

PACKAGE = "@laserfiche/lf-repository-api-client-v2"
VERSION = "1.3.0"
SCRIPTS = Path(__file__).with_name("official")
PAGES = [["Contract", "Invoice 2026-001", "Minutes"], ["Plans"]]


@pytest.fixture(scope="module")
def root() -> str:
    """Where npm has its global packages."""
    get = f"npm install --global {PACKAGE}@{VERSION}"
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip(f"needs Node.js 20.6 or newer with npm, then `{get}`")
    found = subprocess.run(["npm", "root", "--global"], capture_output=True, text=True, check=True)
    package = Path(found.stdout.strip(), PACKAGE, "package.json")
    if not package.exists() or json.loads(package.read_text())["version"] != VERSION:
        pytest.skip(f"needs `{get}`")
    return found.stdout.strip()


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
