"""What every verb of the workflow works with, put together once by whoever starts it."""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from export_pipeline.archive.layout import bag_prefix, payload_key
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import Scan
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.settings import Settings
from export_pipeline.storage.store import Store
from export_pipeline.vendors.artifacts import ArtifactKind
from export_pipeline.vendors.vendor import Vendor


def _process_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


@dataclass(frozen=True)
class Pipeline:
    """One vendor with the ledger and the store that its scans go to.

    Args:
        owner: the name under which this process holds leases.
        sleep: how to wait, in seconds; a benchmark steps a virtual clock here.
    """

    settings: Settings
    ledger: Ledger
    store: Store
    vendor: Vendor
    addresses: Addresses
    owner: str = field(default_factory=_process_name)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def kind(self, name: str) -> ArtifactKind:
        """The vendor's artifact kind of that name."""
        return next(kind for kind in self.vendor.kinds if kind.name == name)

    def key(self, scan: Scan, generation: int, artifact: str) -> str:
        """The store's key of an artifact."""
        return payload_key(bag_prefix(scan.key, generation), artifact)
