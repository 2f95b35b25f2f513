"""Serve Keystone: `keystone_process.py FOLDER PORT`, run by the installation's own Python."""

import os
import sys

FOLDER, PORT = sys.argv[1:]
# Keystone reads the command line as its own; what it must know comes by these variables.
sys.argv[1:] = []
os.environ["OS_KEYSTONE_CONFIG_DIR"] = FOLDER
os.environ["OS_KEYSTONE_CONFIG_FILES"] = "keystone.conf"

from keystone.wsgi.api import application  # noqa: E402
from werkzeug.serving import WSGIRequestHandler, run_simple  # noqa: E402

WSGIRequestHandler.protocol_version = "HTTP/1.1"
run_simple("127.0.0.1", int(PORT), application, threaded=True)
