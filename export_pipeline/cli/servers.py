"""`sandbox` and `receiver`: what runs in the foreground."""

import json
import shlex
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

import typer

from export_pipeline.cli.home import OpenHome, open_home, read_settings
from export_pipeline.cli.options import AsJson, Home, examples
from export_pipeline.cli.output import emit, say
from export_pipeline.demo.variables import sandbox_variables
from export_pipeline.receiver.addresses import STATUS_PLACEHOLDER, Addresses
from export_pipeline.receiver.server import serve as serve_receiver
from export_pipeline.sandbox import Announcement, Pace, SandboxOptions
from export_pipeline.sandbox import serve as serve_sandbox

LOOPBACK = "127.0.0.1"
COMPLETED = "completed"
"""Copyleaks's status word of a scan that finished (FACTS 1.6)."""
RECEIVER_PORT = 8484
"""As EXPORT_RECEIVER_URL has it where nothing is set."""
SANDBOX_EPILOG = examples(
    "export-pipeline sandbox --port 8500 --pace fast",
    "export-pipeline sandbox --pace documented --absent unhealthy",
)
RECEIVER_EPILOG = examples(
    "export-pipeline receiver --host 0.0.0.0 --port 8484", "export-pipeline receiver --webhooks"
)
Host = Annotated[str, typer.Option("--host", help="Address to listen at.", show_default=True)]


def sandbox(
    *,
    host: Host = LOOPBACK,
    port: Annotated[int, typer.Option("--port", help="Port; 0 takes a free one.")] = 0,
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
    environment variables that point the project at them. Stop it with Ctrl-C.
    """
    read_settings(home)
    options = SandboxOptions.at(pace, success=success, reuse=reuse, absent=absent)
    with suppress(KeyboardInterrupt):
        serve_sandbox(host, port, options, lambda told: _announce(told, options))


def _announce(told: Announcement, options: SandboxOptions) -> None:
    variables = sandbox_variables(told, options)
    lines = [json.dumps(told)]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def receiver(
    *,
    host: Host = LOOPBACK,
    port: Annotated[int, typer.Option("--port", help="Port; 0 takes a free one.")] = RECEIVER_PORT,
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
    with open_home(home) as there:
        if webhooks:
            _print_webhooks(there, as_json=as_json)
            return
        with suppress(KeyboardInterrupt):
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


def _print_webhooks(home: OpenHome, *, as_json: bool) -> None:
    addresses = Addresses(home.settings.receiver_url, home.settings.secrets)
    found = [
        _webhook(addresses, vendor.name, account)
        for vendor in home.vendors.values()
        if vendor.posts
        for account in vendor.accounts
    ]
    signed = [
        {
            "vendor": vendor.name,
            "account": account,
            "url": addresses.signed_webhook(vendor.name, account),
        }
        for vendor in home.vendors.values()
        if vendor.signed
        for account in vendor.accounts
    ]
    if as_json:
        emit({"webhooks": found, "signed": signed})
    elif found or signed:
        for one in found:
            _show_webhook(one)
        for one in signed:
            _show_signed(one)
    else:
        say("no account has credentials here: see `export-pipeline check`")


def _show_signed(one: Mapping[str, str]) -> None:
    say(f"{one['vendor']} account {one['account']}")
    say("  Make a webhook with this address at the vendor, and name its signing secret here:")
    say(one["url"])


def _webhook(addresses: Addresses, vendor: str, account: str) -> dict[str, Any]:
    target = addresses.scan_webhook(vendor, account)
    ((header, token),) = target.headers
    return {
        "vendor": vendor,
        "account": account,
        "url": target.url,
        "header": header,
        "token": token,
        "properties": {"webhooks": {"status": target.url, "statusHeaders": [[header, token]]}},
        "url_with_token": addresses.scan_webhook_with_token(vendor, account).url,
        "forward_url": target.url.replace(STATUS_PLACEHOLDER, COMPLETED),
    }


def _show_webhook(one: Mapping[str, Any]) -> None:
    header = f"{one['header']}: {one['token']}"
    lines = (
        f"{one['vendor']} account {one['account']}",
        "  Put this into `properties` of each scan that you submit:",
        json.dumps(one["properties"]),
        "  and its id there as `developerPayload`: the webhook of a failed scan need not name it.",
        "  Where no header can be set, this alone as `webhooks.status`; the URL is a secret then:",
        one["url_with_token"],
        f"  To forward a `{COMPLETED}` webhook that another service gets, post its body to:",
        one["forward_url"],
        f"  with the header {header}",
    )
    for line in lines:
        say(line)
