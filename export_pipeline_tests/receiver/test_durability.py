"""What the receiver said it has, it has, however it ended."""

import hashlib
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx

from export_pipeline.ledger import inbox
from export_pipeline.receiver.addresses import Addresses
from export_pipeline_tests.receiver.sending import begin, send, status_of
from export_pipeline_tests.servers.receiver import SECRET, ReceiverProcess

SENDERS = 16
ACKNOWLEDGED_BEFORE_THE_KILL = 150


def test_whatever_was_acknowledged_before_a_kill_is_there(home):
    names = [f"results/{number}.json" for number in range(2_000)]
    order = home.order("scan", names)
    process = ReceiverProcess(home.path)
    addresses = Addresses(process.url, (SECRET,))
    acknowledged, enough = [], threading.Event()

    def send_until_it_dies(number: int) -> None:
        with httpx.Client(trust_env=False, timeout=60) as http:
            for name in names[number::SENDERS]:
                for kind, target, expected in (
                    ("webhook", addresses.order_webhook(order), 200),
                    ("upload", addresses.upload(order.id, name), 201),
                ):
                    try:
                        answer = send(http, target, _body(name))
                    except httpx.TransportError:
                        return
                    assert answer.status_code == expected
                    acknowledged.append((kind, name))
                    if len(acknowledged) >= ACKNOWLEDGED_BEFORE_THE_KILL:
                        enough.set()

    with ThreadPoolExecutor(SENDERS) as pool:
        senders = [pool.submit(send_until_it_dies, number) for number in range(SENDERS)]
        enough.wait()
        process.kill()
        for sender in senders:
            sender.result()

    with home.ledger.read() as tx:
        kept = {letter.body for letter in inbox.by_subject(tx, inbox.ORDERS, order.id)}
    assert {_body(name) for kind, name in acknowledged if kind == "webhook"} <= kept
    uploaded = [name for kind, name in acknowledged if kind == "upload"]
    assert 0 < len(uploaded) < len(names)
    for name in uploaded:
        assert home.content(home.key(order, name)) == _body(name)
        assert home.artifact(order, name).sha256 == hashlib.sha256(_body(name)).hexdigest()


def test_an_upload_in_flight_ends_well_after_sigterm(home):
    order = home.order("scan", ["a.json"])
    process = ReceiverProcess(home.path)
    target = Addresses(process.url, (SECRET,)).upload(order.id, "a.json")
    with begin(target, "Content-Length: 4", "Expect: 100-continue") as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        process.terminate()
        while _takes_connections(process.url):
            time.sleep(0.01)
        connection.sendall(b"late")
        assert status_of(connection) == 201
    process.wait()
    assert home.content(home.key(order, "a.json")) == b"late"


def _takes_connections(url: str) -> bool:
    parts = urlsplit(url)
    assert parts.hostname is not None
    try:
        socket.create_connection((parts.hostname, parts.port or 80)).close()
    except ConnectionError:
        return False
    return True


def _body(name: str) -> bytes:
    return json.dumps({"name": name * 1_000}).encode()
