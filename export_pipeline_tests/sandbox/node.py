"""Packages of npm that the vendors' own JavaScript clients are."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

NODE_VERSION = (20, 11)
"""The first that has `import.meta.dirname` and `--import`, which the clients' scripts use."""


def require_package(package: str, version: str) -> str:
    """Return where npm has its global packages; skip the test without this one there."""
    get = f"npm install --global {package}@{version}"
    if not shutil.which("npm") or _node_version() < NODE_VERSION:
        pytest.skip(f"needs Node.js 20.11 or newer with npm, then `{get}`")
    root = _told("npm", "root", "--global")
    manifest = Path(root, package, "package.json")
    if not manifest.exists() or json.loads(manifest.read_text())["version"] != version:
        pytest.skip(f"needs `{get}`")
    return root


def _node_version() -> tuple[int, ...]:
    if not shutil.which("node"):
        return (0,)
    return tuple(int(part) for part in _told("node", "--version").lstrip("v").split("."))


def _told(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
