import asyncio
import socket

from export_pipeline.receiver.server import listen
from export_pipeline_tests.servers.receiver import LOOPBACK


def test_an_answer_never_waits_for_the_senders_delayed_acknowledgement():
    """asyncio sets TCP_NODELAY by the listener's protocol: without one, answers took 40 ms."""
    undelayed = []

    async def accept() -> None:
        told = asyncio.Event()

        def accepted(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted_socket = writer.get_extra_info("socket")
            undelayed.append(accepted_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()
            told.set()

        with listen(LOOPBACK, 0) as listener:
            server = await asyncio.start_server(accepted, sock=listener)
            async with server:
                _, writer = await asyncio.open_connection(*listener.getsockname())
                await told.wait()
                writer.close()

    asyncio.run(accept())
    assert undelayed != [0]
    assert len(undelayed) == 1


def test_a_port_is_free_again_at_once_after_a_connection_was_closed():
    with listen(LOOPBACK, 0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((LOOPBACK, port)):
            listener.accept()[0].close()
    listen(LOOPBACK, port).close()
