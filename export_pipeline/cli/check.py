"""`check`: what is set, and whether it works."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated
from urllib.parse import urlsplit

import typer
from sqlalchemy.exc import SQLAlchemyError

from export_pipeline.archive.signature import Keys
from export_pipeline.cli.errors import in_words
from export_pipeline.cli.home import OpenHome, opened
from export_pipeline.cli.options import AsJson, Home, examples
from export_pipeline.cli.output import complain, emit, say, show_table
from export_pipeline.cli.variables import read_variables, unread
from export_pipeline.errors import ConfigError, LedgerError
from export_pipeline.home_keys import HOME_VARIABLE
from export_pipeline.ledger import alerts, quotas
from export_pipeline.ledger.home import make_ledger
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.settings import Settings
from export_pipeline.storage.options import Variable
from export_pipeline.storage.probe import CAUTION
from export_pipeline.vendors.http import make_client
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow.check import (
    ALERTS,
    RETENTION,
    Finding,
    try_account,
    try_alerts,
    try_receiver,
    try_retention,
    try_signing,
    try_store,
)

EPILOG = examples(
    "export-pipeline check --init",
    "export-pipeline check --json",
    "export-pipeline check --alert",
)
RECEIVER_VARIABLE = "EXPORT_RECEIVER_URL"
LEDGER_VARIABLE = "EXPORT_LEDGER_URL"


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
    every: Annotated[
        bool, typer.Option("--all", help="List the variables that are not set too.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Tell which environment variables are set, and try what they name.

    Tried are each account's login, the store (a small object below .check/ is written, read, and
    deleted again), the key that signs bags, and the receiver's public address: a webhook is posted
    there as a vendor would, and looked for in the ledger's inbox. What is wrong keeps nothing else
    from being tried. The exit code is 1 if something that is set does not work, if an EXPORT_
    variable is set that nobody reads, or if there is no ledger.
    """
    wrong = Settings.problems(os.environ)
    right = {name: value for name, value in os.environ.items() if name not in wrong}
    settings = Settings.from_env(right, home)
    if init:
        settings.make_home()
        if LEDGER_VARIABLE not in wrong:
            make_ledger(settings.ledger_url).close()
    reasons = [*wrong.values(), *unread(os.environ, settings)]
    findings = [Finding("setting", works=False, text=why) for why in reasons]
    if LEDGER_VARIABLE not in wrong:
        findings += _findings(settings, alert=alert)
    works = all(finding.works is not False for finding in findings)
    if as_json:
        _emit(settings, findings, works=works)
    else:
        _show(settings, findings, every=every)
    if not works:
        raise typer.Exit(1)


def _emit(settings: Settings, findings: Sequence[Finding], *, works: bool) -> None:
    values = {one.name: _value(one) for one in read_variables(settings)}
    found = [asdict(finding) for finding in findings]
    facts = {"home": str(settings.home), "works": works}
    emit({**facts, "variables": values, "findings": found})


def _value(variable: Variable) -> str | None:
    """What is set, without what must stay secret; None if nothing is."""
    value = os.environ.get(variable.name)
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
        with opened(settings) as home:
            opens = Finding("ledger", works=True, text=f"{home.ledger.name}: opens")
            return [opens, *asyncio.run(_try_all(home, alert=alert))]
    except (LedgerError, SQLAlchemyError) as error:
        text = f"{in_words(error)}; without a ledger nothing else was tried"
        return [Finding("ledger", works=False, text=text)]


async def _try_all(home: OpenHome, *, alert: bool) -> list[Finding]:
    findings = []
    for vendor in home.vendors.values():
        findings += await _try_vendor(home, vendor)
    findings += await _try_store(home)
    findings.append(try_signing(Keys.of(home.settings)))
    findings.append(await _try_receiver(home))
    findings.append(await _try_alerts(home, send=alert))
    for name in home.vendors:
        findings += await try_retention(home.ledger, home.settings, name)
    return findings


async def _try_vendor(home: OpenHome, vendor: Vendor) -> list[Finding]:
    found = [
        Finding(f"{vendor.name} account {account}", works=False, text=why)
        for account, why in vendor.wrong.items()
    ]
    found += [await _try_account(home, vendor, account) for account in vendor.accounts]
    await vendor.aclose()
    return found or [Finding(vendor.name, works=None, text="no account has credentials")]


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


async def _try_store(home: OpenHome) -> list[Finding]:
    try:
        store = home.store
    except ConfigError as error:
        return [Finding("store", works=False, text=str(error))]
    return await try_store(store, home.settings)


async def _try_receiver(home: OpenHome) -> Finding:
    url = home.settings.receiver_url
    try:
        addresses = Addresses(url, home.settings.secrets)
    except ConfigError as error:
        return Finding("receiver", works=False, text=str(error))
    async with make_client() as http:
        finding = await try_receiver(http, home.ledger, addresses, _without_secrets(url))
    if finding.works or os.environ.get(RECEIVER_VARIABLE):
        return finding
    text = f"{RECEIVER_VARIABLE} is not set, and at its default nothing answers as it should"
    return Finding(finding.name, works=None, text=f"{text}: {finding.text}")


def _show(settings: Settings, findings: Sequence[Finding], *, every: bool) -> None:
    say(f"home {settings.home}")
    rows = [(one.name, _value(one), one.meaning) for one in read_variables(settings)]
    is_set = [row for row in rows if row[1] is not None]
    show_table("", ("variable", "value", "meaning"), rows if every else is_set)
    if not any(name != HOME_VARIABLE for name, *_ in is_set):
        say("None of them is set: everything is at its default, and no vendor can be asked.")
    if not every:
        say("`check --all` lists those that are not set too.")
    say("")
    for finding in findings:
        if finding.works is False:
            complain(f"wrong    {finding.name}: {finding.text}")
        else:
            say(f"{_label(finding):8} {finding.name}: {finding.text}")


def _label(finding: Finding) -> str:
    is_retention = finding.name.startswith(RETENTION)
    if finding.name == f"store: {CAUTION}" or (is_retention and not finding.works):
        return "mind"
    if finding.name == ALERTS and os.environ.get("EXPORT_ALERT_URL") and finding.works is None:
        return "untried"
    return "works" if finding.works else "not set"
