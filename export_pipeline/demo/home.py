"""The demo's home: a ledger, a receiver key, Dagster's configuration, logs."""

import fcntl
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO

from export_pipeline.demo.seaweedfs import require_weed
from export_pipeline.errors import BadInput
from export_pipeline.ledger.home import make_ledger
from export_pipeline.settings import Settings

VARIABLES_FILE = "demo.env"
"""Points other commands at the demo's servers; its presence says that a home is the demo's."""
LOCK_FILE = "demo.lock"
DAGSTER = """\
telemetry: {enabled: false}
nux: {enabled: false}
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config: {max_concurrent_runs: 10, dequeue_interval_seconds: 1}
run_monitoring: {enabled: true, start_timeout_seconds: 60, poll_interval_seconds: 15}
sensors: {use_threads: true, num_workers: 4}
"""

Storage = Literal["disk", "s3"]
"""Where the archive lies: on this disk, or in a SeaweedFS that the demo starts."""


class DemoHome:
    """A folder in which all that the demo makes lies, and on which every command works.

    Args:
        path: the folder, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self.dagster = self.path / "dagster"
        self.seaweedfs = self.path / "seaweedfs"
        # Nothing of the user's own environment: the demo must not reach a real account.
        self.settings = Settings.from_env({}, self.path)

    @property
    def storage(self) -> Storage:
        """Where its archive lies."""
        return "s3" if self.seaweedfs.exists() else "disk"

    @contextmanager
    def held(self, storage: Storage | None = None) -> Iterator[None]:
        """Make what is not there yet, and keep every other demo off meanwhile.

        Args:
            storage: where the archive of a new home shall lie; None: on disk, or where it lies.

        Raises:
            BadInput: the folder holds something, and no demo made it, or one with another storage;
                or a demo runs there; or SeaweedFS is wanted and not installed.
            ConfigError: no home can be made there.
        """
        kept = self._agreed(storage)
        self.settings.make_home()
        with (self.path / LOCK_FILE).open("a+") as lock:
            _lock(lock, self.path)
            self._make(kept)
            yield

    def _agreed(self, storage: Storage | None) -> Storage:
        is_new = not self.path.exists() or not any(self.path.iterdir())
        if not is_new and not (self.path / VARIABLES_FILE).exists():
            raise BadInput(
                f"{self.path} is not empty and not a demo's home: name a new folder, since the"
                " demo would send what waits there to the sandbox"
            )
        kept = (storage or "disk") if is_new else self.storage
        if storage not in (None, kept):
            raise BadInput(
                f"{self.path} has its archive on {kept}: leave --storage out, or name a new folder"
            )
        if kept == "s3":
            require_weed()
        return kept

    def _make(self, storage: Storage) -> None:
        if storage == "s3":
            self.seaweedfs.mkdir(exist_ok=True)
        self.write_variables({})
        make_ledger(self.settings.ledger_url).close()
        for folder in (self.logs, self.dagster):
            folder.mkdir(exist_ok=True)
        (self.dagster / "dagster.yaml").write_text(DAGSTER + self._storage())

    def _storage(self) -> str:
        where = {"module": "export_pipeline.defs.event_log", "class": "BatchingStorage"}
        config = {"base_dir": str(self.dagster / "storage")}
        return f"storage: {json.dumps({'custom': {**where, 'config': config}})}\n"

    def write_variables(self, variables: Mapping[str, str]) -> None:
        """Leave a file that a shell can source, for commands that ask the demo's servers."""
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
        file = self.path / VARIABLES_FILE
        file.touch(mode=0o600)
        file.write_text("".join(lines))


def _lock(file: TextIO, path: Path) -> None:
    """Take the lock, which ends with this process however that ends; note the process in it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise BadInput(
            f"a demo runs in {path} already (pid {file.read()}): end it, or name another folder"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()


def bare_environment() -> dict[str, str]:
    """What a child needs of the user's own environment; no setting and no credential."""
    needed = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH")
    return {name: os.environ[name] for name in needed if name in os.environ}
