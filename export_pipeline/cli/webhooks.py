"""What to set at a vendor, so that its webhooks come to the receiver."""

import json
from collections.abc import Mapping
from typing import Any

from export_pipeline.cli.home import OpenHome
from export_pipeline.cli.output import complain, emit, say
from export_pipeline.receiver.addresses import STATUS_PLACEHOLDER, Addresses

COMPLETED = "completed"
"""Copyleaks's status word of a scan that finished (FACTS 1.6)."""


def print_webhooks(home: OpenHome, *, as_json: bool) -> None:
    """Print where each account's vendor posts, with the token that lets it."""
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
    for why in (why for vendor in home.vendors.values() for why in vendor.wrong.values()):
        complain(why)
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
