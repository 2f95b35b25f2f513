"""Swift and Keystone from PyPI, in a virtual environment of their own that is made once and kept.

Of their own, since they need other versions than the project, SQLAlchemy 2.1 among them.
`python -m export_pipeline_tests.servers.openstack` makes it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from export_pipeline_tests.servers.keystone import prepare_keystone

PINS = Path(__file__).with_name("openstack.txt")
HOW_TO_GET_IT = f"no Swift here: `python -m {__package__}.openstack` installs one (250 MB)"
_READY = "ready"


def find_openstack() -> Path | None:
    """The installation's folder, None where these versions are not installed."""
    folder = _folder()
    return folder if (folder / _READY).exists() else None


def install() -> None:
    """Install from PyPI into the user's cache, unless that was done before."""
    folder = _folder()
    if find_openstack() is not None:
        return
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    # The project's own constraints, where .ci/run sets them, are not these.
    environment = {name: text for name, text in os.environ.items() if name != "PIP_CONSTRAINT"}
    pip = [folder / "bin" / "pip", "install", "--quiet", "--no-deps", "--requirement", PINS]
    subprocess.run(pip, check=True, env=environment)
    prepare_keystone(folder)
    (folder / _READY).touch()


def _folder() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version = hashlib.sha256(PINS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return cache / "export-pipeline" / f"openstack-{version}"


if __name__ == "__main__":
    install()
