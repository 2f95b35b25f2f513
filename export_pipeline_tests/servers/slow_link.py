"""A slow link: passes on what it is sent at a pace, so that a sender feels it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PIECE_BYTES = 64 << 10
ROOM_BYTES = 16 << 10
"""What waits in the link itself; without a bound all would be sent at once."""


@contextmanager
def slow_link(port: int, bytes_per_second: float, stalls: int = 0) -> Iterator[int]:
    """Lead to a port of this machine, and yield the link's own.

    Args:
        stalls: the first so many connections are taken, and never read.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM_BYTES)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        args = (listener, port, bytes_per_second, stalls)
        serving = threading.Thread(target=_serve, args=args)
        serving.start()
        yield listener.getsockname()[1]
        # Wakes the thread that waits for the next connection.
        listener.shutdown(socket.SHUT_RDWR)
        serving.join()


def _serve(listener: socket.socket, port: int, bytes_per_second: float, stalls: int) -> None:
    stalled: list[socket.socket] = []
    links: list[threading.Thread] = []
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            if len(stalled) < stalls:
                stalled.append(client)
                continue
            links.append(threading.Thread(target=_link, args=(client, port, bytes_per_second)))
            links[-1].start()
    for link in links:
        link.join()
    for client in stalled:
        client.close()


def _link(client: socket.socket, port: int, bytes_per_second: float) -> None:
    with client, socket.create_connection(("127.0.0.1", port)) as there:
        back = threading.Thread(target=_pass_on, args=(there, client, float("inf")))
        back.start()
        _pass_on(client, there, bytes_per_second)
        back.join()


def _pass_on(source: socket.socket, target: socket.socket, bytes_per_second: float) -> None:
    with suppress(OSError):
        while piece := source.recv(PIECE_BYTES):
            target.sendall(piece)
            time.sleep(len(piece) / bytes_per_second)
        target.shutdown(socket.SHUT_WR)
