"""`sandbox` and `receiver`: what runs in the foreground."""

import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Annotated, Literal

import typer

from export_pipeline.cli.home import opened
from export_pipeline.cli.options import AsJson, Home, examples
from export_pipeline.cli.output import emit, say
from export_pipeline.cli.webhooks import print_webhooks
from export_pipeline.demo.variables import sandbox_variables
from export_pipeline.errors import ConfigError
from export_pipeline.home_keys import HOME_VARIABLE
from export_pipeline.receiver.server import serve as serve_receiver
from export_pipeline.sandbox import Announcement, Pace, SandboxOptions
from export_pipeline.sandbox import serve as serve_sandbox
from export_pipeline.settings import Settings

LOOPBACK = "127.0.0.1"
RECEIVER_PORT = 8484
"""As EXPORT_RECEIVER_URL has it where nothing is set."""
SANDBOX_EPILOG = examples(
    "export-pipeline sandbox --port 8500 --pace fast",
    "export-pipeline sandbox --pace documented --absent unhealthy",
)
RECEIVER_EPILOG = examples(
    "export-pipeline receiver --host 0.0.0.0 --port 8484", "export-pipeline receiver --webhooks"
)
HIGHEST_PORT = 65_535
Host = Annotated[str, typer.Option("--host", help="Address to listen at.", show_default=True)]
Port = Annotated[
    int, typer.Option("--port", min=0, max=HIGHEST_PORT, help="Port; 0 takes a free one.")
]


def sandbox(
    *,
    host: Host = LOOPBACK,
    port: Port = 0,
    pace: Annotated[
        Pace,
        typer.Option("--pace", help="The vendor's limits, or none that a test would feel."),
    ] = "documented",
    success: Annotated[
        Literal["empty", "object"],
        typer.Option("--success", help="Answer to an export: 204, or 200 with {}."),
    ] = "empty",
    reuse: Annotated[
        Literal["conflict", "accept", "redeliver"],
        typer.Option("--reuse", help="An export id that comes twice: 409, taken, delivered twice."),
    ] = "conflict",
    absent: Annotated[
        Literal["refuse", "unhealthy"],
        typer.Option("--absent", help="An order for what the scan has not: 400, or unhealthy."),
    ] = "refuse",
    home: Home = None,
) -> None:
    """Run vendors that behave as documented on this machine, to try the project out.

    The first line on stdout is a JSON object with addresses and credentials; then come the
    environment variables that point the project at them, and at the home if one is named. Stop it
    with Ctrl-C.
    """
    options = SandboxOptions.at(pace, success=success, reuse=reuse, absent=absent)
    place = {HOME_VARIABLE: str(home.absolute())} if home else {}
    with _serving(host, port):
        serve_sandbox(
            host,
            port,
            options,
            lambda told: _announce(told, place | sandbox_variables(told, options)),
        )


@contextmanager
def _serving(host: str, port: int) -> Iterator[None]:
    """Serve until Ctrl-C.

    Raises:
        ConfigError: nothing can listen there.
    """
    try:
        with suppress(KeyboardInterrupt):
            yield
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"nothing can listen at {host} port {port} ({reason}): name an address of this machine"
            " by --host, and by --port one that is free"
        ) from None


def _announce(told: Announcement, variables: Mapping[str, str]) -> None:
    lines = [json.dumps(told)]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def receiver(
    *,
    host: Host = LOOPBACK,
    port: Port = RECEIVER_PORT,
    webhooks: Annotated[
        bool,
        typer.Option(
            "--webhooks", help="Print what to set as each account's status webhook, and end."
        ),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take in the vendors' webhooks and uploads, until Ctrl-C or SIGTERM.

    Vendors reach it at EXPORT_RECEIVER_URL: run it behind a proxy that does TLS. What --webhooks
    prints holds a token: whoever has it can post webhooks, so treat it as a password.
    """
    with opened(Settings.for_receiver(os.environ, home)) as there:
        if webhooks:
            print_webhooks(there, as_json=as_json)
            return
        with _serving(host, port):
            serve_receiver(
                there.settings,
                there.ledger,
                there.store,
                host=host,
                port=port,
                ready=lambda url: _tell_ready(url, as_json=as_json),
                signed={one.name: one.signed for one in there.vendors.values() if one.signed},
                readers={one.name: one.read_registration for one in there.vendors.values()},
            )


def _tell_ready(url: str, *, as_json: bool) -> None:
    if as_json:
        emit({"url": url})
    else:
        say(f"receiver at {url}")
    sys.stdout.flush()
