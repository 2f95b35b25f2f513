"""`check`: what is set, and whether it works."""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated
from urllib.parse import urlsplit

import typer

from export_pipeline.archive.signature import Keys
from export_pipeline.cli.home import OpenHome, open_home, read_settings
from export_pipeline.cli.options import AsJson, Home, examples
from export_pipeline.cli.output import complain, emit, say, show_table
from export_pipeline.errors import NoLedger
from export_pipeline.ledger import alerts, quotas
from export_pipeline.ledger.home import make_ledger
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.scans import DEFAULT_ACCOUNT
from export_pipeline.settings import HOME_VARIABLE, Settings
from export_pipeline.storage.open import options_of
from export_pipeline.storage.options import Variable, declared
from export_pipeline.storage.probe import CAUTION
from export_pipeline.vendors.http import make_client
from export_pipeline.vendors.open import vendor_variables
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow.check import (
    ALERTS,
    Finding,
    try_account,
    try_alerts,
    try_receiver,
    try_signing,
    try_store,
)

EPILOG = examples(
    "export-pipeline check --init",
    "export-pipeline check --json",
    "export-pipeline check --alert",
)
RECEIVER_VARIABLE = "EXPORT_RECEIVER_URL"


def check(
    *,
    init: Annotated[
        bool,
        typer.Option("--init", help="Make the home first: its folder, a receiver key, a ledger."),
    ] = False,
    alert: Annotated[
        bool,
        typer.Option("--alert", help="Post a test message to EXPORT_ALERT_URL too."),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Tell which environment variables are set, and try what they name.

    Tried are each account's login, the store (a small object below .check/ is written, read, and
    deleted again), the key that signs bags, and the receiver's public address: a webhook is posted
    there as a vendor would, and looked for in the ledger's inbox. The exit code is 1 if something
    that is set does not work, or if there is no ledger.
    """
    settings = read_settings(home)
    if init:
        settings.make_home()
        make_ledger(settings.ledger_url).close()
    variables = [
        (one.name, _shown(one, os.environ.get(one.name)), one.meaning)
        for one in _variables(settings)
    ]
    findings = _findings(settings, alert=alert)
    works = all(finding.works is not False for finding in findings)
    if as_json:
        values = {name: value for name, value, _ in variables}
        found = [asdict(finding) for finding in findings]
        facts = {"home": str(settings.home), "works": works}
        emit({**facts, "variables": values, "findings": found})
    else:
        _show(settings, variables, findings)
    if not works:
        raise typer.Exit(1)


def _variables(settings: Settings) -> Iterator[Variable]:
    """Every variable that has a meaning; those of all accounts and the store."""
    yield Variable(HOME_VARIABLE, "The home folder")
    yield from declared(Settings)
    yield Variable("EXPORT_COPYLEAKS_ACCOUNTS", "Names of further Copyleaks accounts")
    names = [account.name for account in settings.copyleaks_accounts]
    for name in dict.fromkeys([DEFAULT_ACCOUNT, *names]):
        infix = "" if name == DEFAULT_ACCOUNT else f"{name.upper().replace('-', '_')}_"
        yield Variable(f"EXPORT_COPYLEAKS_{infix}EMAIL", f"Login of Copyleaks account {name}")
        key = f"API key of Copyleaks account {name}"
        yield Variable(f"EXPORT_COPYLEAKS_{infix}KEY", key, is_secret=True)
    yield from vendor_variables(settings.vendor_variables)
    options = options_of(settings.storage_url)
    if options is not None:
        yield from declared(options)


def _shown(variable: Variable, value: str | None) -> str | None:
    """The value without what must stay secret, None if it is not set."""
    if not value:
        return None
    if variable.is_secret:
        return "set"
    return _without_secrets(value) if "://" in value else value


def _without_secrets(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "set"
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()


def _findings(settings: Settings, *, alert: bool) -> list[Finding]:
    try:
        with open_home(settings.home) as home:
            opens = Finding("ledger", works=True, text=f"{home.ledger.name}: opens")
            return [opens, *asyncio.run(_try_all(home, alert=alert))]
    except NoLedger as error:
        text = f"{error}; without a ledger nothing else was tried"
        return [Finding("ledger", works=False, text=text)]


async def _try_all(home: OpenHome, *, alert: bool) -> list[Finding]:
    findings = []
    for vendor in home.vendors.values():
        findings += [await _try_account(home, vendor, account) for account in vendor.accounts]
        if not vendor.accounts:
            findings.append(Finding(vendor.name, works=None, text="no account has credentials"))
        await vendor.aclose()
    findings += await try_store(home.store)
    findings.append(try_signing(Keys.of(home.settings)))
    findings.append(await _try_receiver(home))
    findings.append(await _try_alerts(home, send=alert))
    return findings


async def _try_account(home: OpenHome, vendor: Vendor, account: str) -> Finding:
    finding = await try_account(vendor, account)
    if finding.works:
        await home.ledger.apply(quotas.mended, vendor.name, account)
    return finding


async def _try_alerts(home: OpenHome, *, send: bool) -> Finding:
    known = await home.ledger.look(alerts.known)
    problem = next((one.problem for one in known if one.problem), "")
    async with make_client() as http:
        return await try_alerts(http, home.settings, problem, now=time.time(), send=send)


async def _try_receiver(home: OpenHome) -> Finding:
    url = home.settings.receiver_url
    addresses = Addresses(url, home.settings.secrets)
    async with make_client() as http:
        finding = await try_receiver(http, home.ledger, addresses, _without_secrets(url))
    if finding.works or os.environ.get(RECEIVER_VARIABLE):
        return finding
    text = f"{RECEIVER_VARIABLE} is not set, and at its default nothing answers as it should"
    return Finding(finding.name, works=None, text=f"{text}: {finding.text}")


def _show(
    settings: Settings, variables: Sequence[tuple[str, str | None, str]], findings: list[Finding]
) -> None:
    say(f"home {settings.home}")
    show_table("", ("variable", "value", "meaning"), variables)
    if not any(value for name, value, _ in variables if name != HOME_VARIABLE):
        say("None of them is set: everything is at its default, and no vendor can be asked.")
    say("")
    for finding in findings:
        if finding.works is False:
            complain(f"wrong    {finding.name}: {finding.text}")
        else:
            say(f"{_label(finding):8} {finding.name}: {finding.text}")


def _label(finding: Finding) -> str:
    if finding.name == f"store: {CAUTION}":
        return "mind"
    if finding.name == ALERTS and os.environ.get("EXPORT_ALERT_URL") and finding.works is None:
        return "untried"
    return "works" if finding.works else "not set"
