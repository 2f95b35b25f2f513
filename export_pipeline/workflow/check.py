"""Try what is configured: the accounts, the store, the receiver's public address."""

import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from export_pipeline.archive.signature import Keys
from export_pipeline.errors import ConfigError, ExportPipelineError
from export_pipeline.ledger import inbox, retention
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.settings import Settings
from export_pipeline.storage.probe import probe
from export_pipeline.storage.store import Store, UploadTarget
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow.alerting.address import find_address
from export_pipeline.workflow.alerting.alerts import send_test
from export_pipeline.workflow.words import duration, plural

ALERTS = "alerts"
RETENTION = "retention"
RETENTION_LATE_SECONDS = 2 * 86_400.0
"""Its schedule runs once a day."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Finding:
    """What was tried and how it went; `works` is None for what is not set up.

    A failure's text says what to do.
    """

    name: str
    works: bool | None
    text: str


async def try_account(vendor: Vendor, account: str) -> Finding:
    """Try the account's credentials."""
    name = f"{vendor.name} account {account}"
    try:
        return Finding(name, works=True, text=await vendor.check(account))
    except ExportPipelineError as error:
        return Finding(name, works=False, text=str(error))


async def try_store(store: Store, settings: Settings) -> list[Finding]:
    """Try everything that the archive will ask of the store, each step by itself."""
    steps = await probe(store, order_seconds=settings.order_deadline)
    return [Finding(f"store: {step.name}", step.ok, step.words) for step in steps]


def try_signing(keys: Keys) -> Finding:
    """Sign something with the key that signs bags, and judge it as an audit does."""
    if keys.signing is None:
        text = "EXPORT_SIGNING_KEY is not set: bags are sealed without a signature"
        return Finding("signing key", works=None, text=text)
    data = secrets.token_bytes()
    problem = keys.problem(keys.signing_id, keys.signing.sign(data), data)
    others = len(keys.known) - 1
    former = f", beside {others} former" if others else ""
    text = problem or f"bags are signed with key {keys.signing_id}{former}"
    return Finding("signing key", works=not problem, text=text)


async def try_receiver(
    http: httpx.AsyncClient, ledger: Ledger, addresses: Addresses, url: str
) -> Finding:
    """Post to the receiver's public address as a vendor would, and look in our inbox for it."""
    nonce = secrets.token_hex(8)
    try:
        posted = await _call(http, addresses.check_webhook(nonce))
        problem = _refusal(posted, url)
        if not problem and not await ledger.apply(_arrived, nonce):
            told = await _call(http, addresses.check_result(nonce))
            problem = _elsewhere(told, url, ledger.name)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        problem = _no_answer(error, url)
    text = problem or f"{url}: reaches this ledger's inbox{_caution(url)}"
    return Finding("receiver", works=not problem, text=text)


async def try_alerts(
    http: httpx.AsyncClient, settings: Settings, problem: str, *, now: float, send: bool
) -> Finding:
    """Say whether alerts are taken; `send` posts a test message, which people will read.

    Args:
        problem: why the address did not take the last message, "" if it did.
        now: seconds since the epoch.
    """
    try:
        address = find_address(settings)
    except ConfigError as error:
        return Finding(ALERTS, works=False, text=str(error))
    if address is None:
        text = "EXPORT_ALERT_URL is not set: what is wrong is told by `status` alone"
        return Finding(ALERTS, works=None, text=text)
    if send:
        refusal = await send_test(address, http, now)
        problem = refusal.problem if refusal is not None else ""
        text = problem or f"{address.host} takes a test message"
        return Finding(ALERTS, works=not problem, text=text)
    if problem:
        text = f"{problem}; it is tried again by itself, and now by `check --alert`"
        return Finding(ALERTS, works=False, text=text)
    text = f"{address.host}: `check --alert` posts a test message"
    return Finding(ALERTS, works=None, text=text)


async def try_retention(ledger: Ledger, settings: Settings, vendor: str) -> list[Finding]:
    """Say whether the vendor's scans are forgotten in time, if that is wanted at all."""
    days = settings.retention(vendor)
    if days is None:
        return []
    name, kept = f"{RETENTION} of {vendor}", f"scans are kept for {plural(days, 'day')}"
    ago = await ledger.look(retention.ran_seconds_ago, vendor)
    ran = "never ran yet" if ago is None else f"last ran {duration(ago)} ago"
    if ago is not None and ago < RETENTION_LATE_SECONDS:
        return [Finding(name, works=True, text=f"{kept}; it {ran}")]
    text = (
        f"{kept}, but it {ran}, and nothing else forgets them: turn the schedule"
        f" {vendor}_retention_daily on in Dagster, or run `export-pipeline retention`"
    )
    return [Finding(name, works=None, text=text)]


async def _call(http: httpx.AsyncClient, target: UploadTarget) -> httpx.Response:
    return await http.request(target.verb, target.url, headers=target.headers, content=b"")


def _arrived(tx: Tx, nonce: str) -> bool:
    letters = inbox.by_subject(tx, inbox.CHECKS, nonce)
    inbox.handled(tx, [letter.id for letter in letters])
    return bool(letters)


def _refusal(answer: httpx.Response, url: str) -> str:
    status = answer.status_code
    if answer.is_success:
        return ""
    if answer.is_redirect:
        host = urlsplit(answer.headers.get("Location", "")).hostname
        return (
            f"{url}: redirects to {host or 'another address'}, which no vendor need follow: set"
            " EXPORT_RECEIVER_URL to the address where it ends"
        )
    if status == httpx.codes.UNAUTHORIZED:
        return (
            f"{url}: its receiver does not know our token: give it the same"
            " EXPORT_RECEIVER_SECRET, or the same home, and have the proxy pass on the header"
            " X-Export-Token"
        )
    if status == httpx.codes.NOT_FOUND:
        return f"{url}: answers, but no receiver of ours (404): check host, port and path"
    return f"{url}: answers {status}: look in the log of the receiver, or of the proxy before it"


def _elsewhere(told: httpx.Response, url: str, ledger_name: str) -> str:
    if told.is_success:
        return (
            f"{url}: its receiver writes to another ledger than {ledger_name}: start both with the"
            " same home, or the same EXPORT_LEDGER_URL"
        )
    return f"{url}: takes the post and keeps nothing, so it is no receiver of ours: check the URL"


def _no_answer(error: Exception, url: str) -> str:
    words = str(error)
    if isinstance(error, httpx.TimeoutException):
        return f"{url}: no answer in time: does a firewall let the vendors in?"
    if isinstance(error, httpx.ConnectError) and "certificate" in words.lower():
        return f"{url}: its TLS certificate does not verify ({words})"
    if isinstance(error, httpx.ConnectError):
        return f"{url}: no connection ({words}): does `export-pipeline receiver` run there?"
    return f"{url}: no usable answer ({type(error).__name__}): check EXPORT_RECEIVER_URL"


def _caution(url: str) -> str:
    is_local = urlsplit(url).hostname in LOOPBACK
    return "; vendors cannot reach it, as it is this machine's own address" if is_local else ""
