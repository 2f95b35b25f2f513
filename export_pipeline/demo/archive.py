"""Where the demo's archive lies: in its home, or in a SeaweedFS over a folder of its home."""

import asyncio
import secrets
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from export_pipeline.demo.child import POLL_SECONDS, START_SECONDS, Child, Pause, ServerFailed
from export_pipeline.demo.home import DemoHome, bare_environment
from export_pipeline.demo.seaweedfs import ENVIRONMENT, SeaweedFS, require_weed
from export_pipeline.errors import StoreError
from export_pipeline.storage.open import open_store
from export_pipeline.storage.probe import PROBE_FOLDER
from export_pipeline.storage.store import Store, pieces

S3_URL = "s3://archive"


@dataclass(frozen=True)
class Archive:
    """A store that can be used now.

    Args:
        url: its URL.
        variables: lead every process to it.
        children: what runs for it.
    """

    url: str
    variables: Mapping[str, str] = field(default_factory=dict)
    children: Sequence[Child] = ()


@contextmanager
def running_archive(home: DemoHome, pause: Pause) -> Iterator[Archive]:
    """Start what the home's archive needs, and stop it at the end.

    Raises:
        BadInput: a program is missing.
        ServerFailed: it does not start.
    """
    if home.storage == "disk":
        yield Archive(home.settings.storage_url)
        return
    server = SeaweedFS(require_weed(), home.seaweedfs)
    variables = {"EXPORT_STORAGE_URL": S3_URL, **server.variables()}
    store = open_store(S3_URL, variables)
    with ExitStack() as stack:
        stack.callback(server.remove_sockets)
        child = Child(
            "seaweedfs",
            server.command(),
            environment={**bare_environment(), **ENVIRONMENT},
            logs=home.logs,
            ends_by=signal.SIGKILL,
        )
        stack.callback(child.stop)
        _wait_until_it_stores(store, child, pause)
        yield Archive(store.url, variables, [child])


def _wait_until_it_stores(store: Store, child: Child, pause: Pause) -> None:
    end = time.monotonic() + START_SECONDS
    while not asyncio.run(_stores(store)):
        child.require_running()
        if time.monotonic() >= end:
            raise ServerFailed(
                f"{child.name} stores nothing after {START_SECONDS:.0f} s: see {child.log}"
            )
        pause(POLL_SECONDS)


async def _stores(store: Store) -> bool:
    """Whether it takes an object, which makes the bucket; its port opens before it can."""
    key = PROBE_FOLDER + secrets.token_hex(8)
    try:
        await store.put(key, pieces(b""))
        await store.delete(key)
    except StoreError:
        return False
    return True
