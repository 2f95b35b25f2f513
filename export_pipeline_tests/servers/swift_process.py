"""Serve Swift: `swift_process.py FOLDER account=PORT container=PORT object=PORT`.

Run by the installation's own Python. The proxy and the servers behind it are processes of their
own, forked, since importing Swift takes most of their start.
"""

import os
import sys
from importlib import import_module

from swift.common.ring import RingBuilder

FOLDER, *SERVERS = sys.argv[1:]
MODULES = {
    name: import_module(f"swift.{package}.server")
    for name, package in (
        ("account", "account"),
        ("container", "container"),
        ("object", "obj"),
        ("proxy", "proxy"),
    )
}

for server in SERVERS:
    name, port = server.split("=")
    ring = RingBuilder(part_power=2, replicas=1, min_part_hours=0)
    disk = {"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "disk"}
    ring.add_dev({**disk, "weight": 1.0})
    ring.rebalance()
    ring.get_ring().save(f"{FOLDER}/{name}.ring.gz")

for name, module in MODULES.items():
    if os.fork() == 0:
        sys.argv[1:] = [f"{FOLDER}/{name}.conf"]
        sys.exit(module.main())

for _ in MODULES:
    os.wait()
