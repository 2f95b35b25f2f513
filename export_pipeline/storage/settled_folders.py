"""The folders of a disk in which files get their names: durable before what lies in them is."""

import os
from pathlib import Path

MAX_SETTLED_FOLDERS = 10_000


class SettledFolders:
    """Gives files their names, and knows which folders this process has settled.

    Args:
        root: the uppermost; it is made, with its parents, if it is not there.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._settled: set[Path] = set()

    def link(self, source: Path, path: Path) -> None:
        """Give a file another name, and make that durable.

        Raises:
            FileExistsError: the name is taken; that is durable too then.
            OSError: anything else.
        """
        try:
            self._link(source, path)
        except FileExistsError:
            # Its writer may have died before this, and the caller will rely on it being there.
            sync_folder(path.parent)
            raise
        sync_folder(path.parent)

    def _link(self, source: Path, path: Path) -> None:
        try:
            self._settle(path.parent)
            os.link(source, path)
        except FileNotFoundError:
            # The folder was erased, or removed by hand, since it was settled.
            self._settled.clear()
            self._settle(path.parent)
            os.link(source, path)

    def _settle(self, folder: Path) -> None:
        """Make the folder and its parents durable.

        Also where it exists: another process may have made it and not have synced it yet.
        """
        if folder in self._settled:
            return
        if folder != self._root:
            self._settle(folder.parent)
            folder.mkdir(exist_ok=True)
            sync_folder(folder.parent)
        elif not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)
        if len(self._settled) >= MAX_SETTLED_FOLDERS:
            self._settled.clear()
        self._settled.add(folder)


def sync_folder(folder: Path) -> None:
    """Write what a folder names to the disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
