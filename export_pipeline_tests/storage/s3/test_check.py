import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from export_pipeline.cli.app import app
from export_pipeline_tests.servers.seaweedfs import SeaweedFS


def test_check_finds_that_no_url_can_live_as_long_as_an_order(
    seaweedfs: SeaweedFS, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else it would find all well, and no order would ever be sent."""
    variables = {
        **seaweedfs.variables(),
        "EXPORT_STORAGE_URL": f"s3://{bucket}/p",
        "EXPORT_ORDER_DEADLINE": "604801",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    told = CliRunner().invoke(app, ["check", "--init", "--home", str(tmp_path), "--json"])
    found = {one["name"]: one for one in json.loads(told.stdout)["findings"]}
    assert "lower EXPORT_ORDER_DEADLINE" in found["store: sign"]["text"]
    assert (found["store: sign"]["works"], found["store: delete"]["works"]) == (False, True)
    assert told.exit_code == 1
