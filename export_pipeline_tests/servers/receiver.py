"""A receiver in a thread of this process, or in a process of its own that may be killed."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from starlette.types import ASGIApp

from export_pipeline import logs
from export_pipeline.ledger.database import Ledger
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.receiver.app import build
from export_pipeline.receiver.server import ReceiverServer, listen, serve
from export_pipeline.receiver.signatures import Signed
from export_pipeline.settings import Settings
from export_pipeline.storage.open import open_store
from export_pipeline.storage.store import Store

LOOPBACK = "127.0.0.1"
SECRET = "a-secret-of-the-tests-that-no-log-may-show"


@contextmanager
def running(app: ASGIApp) -> Iterator[str]:
    """Serve `app` in a thread on a free port; yields its base URL."""
    is_ready = threading.Event()
    with listen(LOOPBACK, 0) as listener:
        server = ReceiverServer(app, is_ready.set)
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=[listener])), name="receiver"
        )
        thread.start()
        try:
            while not is_ready.wait(timeout=0.1):
                assert thread.is_alive(), "the receiver did not start"
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def running_receiver(
    ledger: Ledger,
    store: Store,
    secrets: tuple[str, ...] = (SECRET,),
    signed: Mapping[str, Signed] = MappingProxyType({}),
) -> Iterator[Addresses]:
    """Serve the receiver in a thread; yields addresses that point to it."""
    with running(build(ledger, store, Addresses("", secrets), signed)) as url:
        yield Addresses(url, secrets)


class ReceiverProcess:
    """The receiver of a home in a process of its own."""

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(home)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        self.url = self._output.readline().strip()

    def kill(self) -> None:
        """End it as a power cut would, as far as a process can tell."""
        self._process.kill()
        self.wait()

    def terminate(self) -> None:
        """Ask it to end; returns at once."""
        self._process.terminate()

    def wait(self) -> None:
        """Wait for its end."""
        self._process.wait()
        self._output.close()


def settings_of(home: Path) -> Settings:
    """The settings that a receiver of this home runs with."""
    return Settings.from_env({"EXPORT_RECEIVER_SECRET": SECRET}, home)


def _main(home: Path) -> None:
    logs.configure()
    settings = settings_of(home)
    serve(
        settings,
        Ledger(settings.ledger_url),
        open_store(settings.storage_url),
        host=LOOPBACK,
        port=0,
        ready=lambda url: print(url, flush=True),
    )


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
