"""The README's page on checking the archive: its commands, run as they stand there."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

from export_pipeline.archive.signature import Keys
from export_pipeline.ledger.database import sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline.settings import Settings
from export_pipeline.storage.local import LocalStore
from export_pipeline_tests.workflow.archives import Archive

README = Path(__file__).parents[2] / "README.md"


def blocks() -> list[str]:
    page = README.read_text().split("\n## Checking the archive\n")[1].split("\n## ")[0]
    return re.findall(r"```bash\n(.+?)```", page, re.DOTALL)


def run(commands: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "EXPORT_PIPELINE_HOME": str(folder / "home")}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_commands_of_the_readme_accept_a_signed_bag_and_refuse_an_altered_one(
    tmp_path: Path,
) -> None:
    checking, signing, judging = blocks()
    (tmp_path / "home").mkdir()
    ledger = make_ledger(sqlite_url(tmp_path / "home"))
    made = run(signing.replace("export-pipeline check", "true"), tmp_path)
    assert made.returncode == 0, made.stderr
    pem = (tmp_path / "signing-key.pem").read_text()
    keys = Keys.of(Settings.from_env({"EXPORT_SIGNING_KEY": pem}))
    archive = Archive(ledger, LocalStore(tmp_path / "home" / "archive"))
    asyncio.run(archive.add("essay-1", keys=keys))
    ledger.close()

    checked = run(checking, tmp_path)
    assert checked.returncode == 0, checked.stderr
    bag = tmp_path / "evidence/copyleaks/default/essay-1/1"
    in_bag = judging.replace("signing-public.pem", str(tmp_path / "signing-public.pem"))
    judged = run(in_bag, bag)
    assert judged.returncode == 0, judged.stderr
    assert "Signature Verified Successfully" in judged.stdout
    assert judged.stdout.count(keys.signing_id) == 2

    report = bag / "data/pdf_report.pdf"
    report.chmod(0o644)
    report.write_bytes(b"altered")
    for command in checking.splitlines()[2:4]:
        assert run(command, bag).returncode == 1, command
    seal = bag / "tagmanifest-sha256.txt"
    seal.chmod(0o644)
    seal.write_text(seal.read_text().replace("a", "b"))
    assert run(checking.splitlines()[4], bag).returncode == 1
    assert run(in_bag, bag).returncode == 1
