"""The README's queries of the catalog, run as they stand there."""

import asyncio
import re
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from export_pipeline.archive.catalog import write_catalog
from export_pipeline.ledger.home import make_ledger
from export_pipeline.settings import Settings
from export_pipeline_tests.test_readme import README
from export_pipeline_tests.workflow.rebuilding.homes import HOSTILE, partial
from export_pipeline_tests.workflow.stepped import SINGLES, stepped
from export_pipeline_tests.workflow.test_renew import BROKEN

SECTION = re.compile(r"^## Catalog$(.*?)^## ", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```python$(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLE = sha256(b"hello world").hexdigest()


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The checksum of a file in an archive with a catalog, on which the command line is set up."""
    with stepped(tmp_path / "home") as home:
        file = home.artifacts(home.archived("essay"))["overview.json"]
        partial(home, HOSTILE[0])
        asyncio.run(write_catalog(home.ledger, home.store, datetime.now(UTC), "0123456789"))
    settings = Settings.from_env({}, tmp_path / "of the command")
    settings.make_home()
    make_ledger(settings.ledger_url).close()
    monkeypatch.setenv("EXPORT_PIPELINE_HOME", str(settings.home))
    monkeypatch.setenv("EXPORT_STORAGE_URL", home.store.url)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    return file.sha256 or ""


def test_each_query_of_the_readme_finds_what_it_says(digest: str) -> None:
    section = SECTION.search(README.read_text())
    assert section is not None
    found: dict[str, Any] = {}
    for block in BLOCK.findall(section[1]):
        exec(block.replace(EXAMPLE, digest), found)
    [lost] = found["missing"].fetchall()
    assert lost[:4] == ("copyleaks", "default", HOSTILE[0], BROKEN)
    assert found["by_month"]["count"].tolist() == [2 * (len(SINGLES) + 2) - 1]
    assert "copyleaks/default/essay/1/data/overview.json" in found["found"]["key"].to_pylist()
