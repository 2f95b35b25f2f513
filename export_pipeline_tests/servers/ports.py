"""Ports that nobody else is given until the server listens for which they were chosen."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from export_pipeline.demo.ports import LOOPBACK


@contextmanager
def held(*ports: int) -> Iterator[None]:
    """Have the ports given to nobody who asks for any free one.

    They are bound and not listened at, which on Linux keeps no server from them that sets
    SO_REUSEADDR. Tests beside these bind many ports in the seconds that a server takes to start.
    """
    with ExitStack() as stack:
        for port in ports:
            holder = stack.enter_context(socket.socket())
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind((LOOPBACK, port))
        yield
