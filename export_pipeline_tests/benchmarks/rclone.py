"""rclone, the best tool that moves bytes: `copyurl --urls`, which lists nothing and starts once.

As many transfers at once as ours (more or fewer make it no faster), else its own defaults: up to
200 MB in one PUT without a checksum, and a look at each object's size afterwards.
"""

import csv
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

HOW_TO_GET_IT = "no rclone here: `pip install 'export-pipeline[test-servers]'`"


@dataclass(frozen=True)
class Cost:
    """What a process took, its start included."""

    seconds: float
    cpu_seconds: float


class Rclone:
    """One that writes as the EXPORT_S3_ variables say; `start` is what it costs to do nothing."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._program = require_rclone()
        self._remote = ":s3," + ",".join(
            f"{name}='{value}'"
            for name, value in {
                "provider": "SeaweedFS",
                "endpoint": variables["EXPORT_S3_ENDPOINT"],
                "access_key_id": variables["EXPORT_S3_ACCESS_KEY_ID"],
                "secret_access_key": variables["EXPORT_S3_SECRET_ACCESS_KEY"],
                "no_check_bucket": "true",
            }.items()
        )
        self.start = self._run(["version"])

    def copy(self, store: str, links: Mapping[str, str], list_file: Path, at_once: int) -> Cost:
        """Copy each link to its key below `store`, an s3:// URL, so many at once."""
        with list_file.open("w", newline="") as file:
            csv.writer(file).writerows([link, key] for key, link in links.items())
        parts = urlsplit(store)
        target = f"{self._remote}:{parts.netloc}{parts.path}"
        return self._run(["copyurl", "--urls", str(list_file), target, "--transfers", str(at_once)])

    def _run(self, arguments: Sequence[str]) -> Cost:
        began = time.perf_counter()
        process = subprocess.Popen(
            [self._program, *arguments],
            stdout=subprocess.DEVNULL,
            env={**os.environ, "RCLONE_CONFIG": os.devnull},
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"rclone {arguments[0]} failed: exit code {process.returncode}")
        return Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime)


def find_rclone() -> str | None:
    """The program, None where it is not installed."""
    beside = Path(sys.executable).with_name("rclone")
    return str(beside) if beside.exists() else shutil.which("rclone")


def require_rclone() -> str:
    """The program.

    Raises:
        RuntimeError: it is not installed; says how to get it.
    """
    program = find_rclone()
    if program is None:
        raise RuntimeError(HOW_TO_GET_IT)
    return program
