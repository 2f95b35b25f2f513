"""Copyleaks as the workflow knows it: `Vendor` over all configured accounts."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ValidationError

from export_pipeline.errors import BadInput, ExportPipelineError
from export_pipeline.ledger.quotas import Quota
from export_pipeline.ledger.rows import Artifact, Order, Scan
from export_pipeline.settings import Settings
from export_pipeline.validation import in_words
from export_pipeline.vendors.accounts import Accounts
from export_pipeline.vendors.artifacts import ArtifactKind, PlannedArtifact
from export_pipeline.vendors.completion import Completion, Delivery
from export_pipeline.vendors.copyleaks import VENDOR
from export_pipeline.vendors.copyleaks.artifacts import KINDS, parts, plan
from export_pipeline.vendors.copyleaks.client import CopyleaksClient, export_quotas
from export_pipeline.vendors.copyleaks.details import ScanDetails
from export_pipeline.vendors.copyleaks.login import LOGINS
from export_pipeline.vendors.copyleaks.options import CopyleaksAccount, CopyleaksOptions
from export_pipeline.vendors.copyleaks.webhooks import (
    CompletedWebhook,
    CreditsCheckedWebhook,
    ErrorWebhook,
    ExportCompleted,
    ExportTask,
    IndexedWebhook,
)
from export_pipeline.vendors.fields import end_of
from export_pipeline.vendors.options import configure
from export_pipeline.vendors.placement import Placement, Receipt
from export_pipeline.vendors.vendor import Opened, Registration

MAX_SCAN_LIFE = timedelta(hours=2880)
"""FACTS 1.2: the longest `expiration`. Webhooks do not tell a scan's own, so it may end sooner."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
_QUIET_WEBHOOKS: dict[str, type[BaseModel]] = {
    "creditschecked": CreditsCheckedWebhook,
    "indexed": IndexedWebhook,
}

Payload = TypeVar("Payload", bound=BaseModel)


class Copyleaks(Accounts[CopyleaksClient]):
    """The vendor Copyleaks."""

    name = VENDOR
    lacking = "credentials: set EXPORT_COPYLEAKS_EMAIL and EXPORT_COPYLEAKS_KEY"
    kinds: Sequence[ArtifactKind] = KINDS
    pushes = True
    writes = True
    posts = True
    keeps = ""
    asking = None
    signed = None
    deletes_archived = False

    def _serve(self, settings: Settings) -> Mapping[str, CopyleaksClient]:
        configured = configure(CopyleaksOptions, CopyleaksAccount, settings.vendor_variables)
        self.options, self._wrong = configured.options, configured.wrong
        return {
            account.name: CopyleaksClient(account, self.options, self._channel)
            for account in configured.accounts
        }

    def client(self, account: str) -> CopyleaksClient:
        """The API of one account.

        Raises:
            ConfigError: the account has no credentials.
        """
        return self._of(account)

    def quotas(self, account: str) -> Sequence[Quota]:  # noqa: ARG002 - alike for all accounts
        """Exports a minute, then requests a second."""
        return export_quotas(self.options)

    def plan(self, scan: Scan) -> Sequence[PlannedArtifact]:
        """Every artifact of the scan with what is known of it."""
        return plan(scan, self.options.artifacts)

    def parts(self, artifacts: Sequence[PlannedArtifact]) -> Sequence[Sequence[PlannedArtifact]]:
        """Orders of at most 1,000 results."""
        return parts(artifacts)

    async def prepare(self, account: str) -> None:
        """Log in, unless a token is cached."""
        login = self.client(account).login
        if await login.cached() is None:
            await login.renew(None)

    async def place(self, placement: Placement) -> Receipt:
        """Send one order.

        Raises:
            VendorError: see errors.py.
            ConfigError: the account has no credentials.
        """
        return await self.client(placement.order.account).export(placement)

    async def ask(
        self,
        account: str,  # noqa: ARG002
        orders: Sequence[Order],  # noqa: ARG002
    ) -> Mapping[str, Completion]:
        """Nothing: the vendor has no endpoint that tells how an export stands (FACTS 0)."""
        return {}

    def read_registration(self, status: str, body: bytes) -> Registration | None:
        """Read a scan's webhook; `status` is what the vendor put for its token, in any case.

        Raises:
            BadInput: the word or the body is not what the vendor documents, or a failed scan has
                no name.
        """
        word = status.casefold()
        if word == "completed":
            return _completed(_parse(CompletedWebhook, body))
        if word == "error":
            return _failed(_parse(ErrorWebhook, body))
        if word not in _QUIET_WEBHOOKS:
            raise BadInput(f"status word {status!r} is none of the vendor's: see webhooks.status")
        _parse(_QUIET_WEBHOOKS[word], body)
        return None

    def read_completion(self, body: bytes, endpoints: Mapping[str, str]) -> Completion:
        """Read `export-completed`; queries of endpoints are not compared, they may be cut off.

        Raises:
            BadInput: the body is not what the vendor documents, or says that it is not complete.
        """
        webhook = _parse(ExportCompleted, body)
        if not webhook.completed:
            raise BadInput("export-completed without `completed: true`: the export has not ended")
        names = {_place(url): name for name, url in endpoints.items()}
        matched = [(names.get(_place(task.endpoint)), task) for task in webhook.tasks]
        deliveries = tuple(_delivery(name, task) for name, task in matched if name is not None)
        return Completion(deliveries, unmatched=len(matched) - len(deliveries))

    def open(self, order: Order, artifact: Artifact) -> AbstractAsyncContextManager[Opened]:
        """There is nothing to pull.

        Raises:
            ExportPipelineError: always.
        """
        raise ExportPipelineError(
            f"Copyleaks pushes its artifacts: {artifact.name} of order {order.id} cannot be pulled"
        )

    async def after_sealed(self, scan: Scan, orders: Sequence[Order]) -> None:
        """Nothing: an export leaves nothing at the vendor, and the scan itself is the team's."""

    async def erase(self, scan: Scan, orders: Sequence[Order]) -> None:  # noqa: ARG002
        """Delete the scan with its reports for good; Copyleaks does so in the background.

        Raises:
            VendorError: see `classify`.
            ConfigError: the account has no credentials.
        """
        await self.client(scan.account).delete(scan.scan)

    async def check(self, account: str) -> str:
        """Log in, whatever is cached: the key behind a cached token may be revoked.

        Raises:
            VendorError: the login failed, or may not be tried now and no token is cached.
            ConfigError: the account has no credentials.
        """
        login = self.client(account).login
        held = await login.held_until()
        if held is not None and await login.cached() is not None:
            return (
                f"not tried now: the limit of {LOGINS.name} or a pause of the account holds it"
                f" back until {_utc(held)}; a token is cached until"
                f" {_utc(await login.expires_at())}"
            )
        await login.renew(anew=True)
        return f"logged in, the token lives until {_utc(await login.expires_at())}"


def _utc(seconds: float | None) -> str:
    return f"{datetime.fromtimestamp(seconds or 0.0, UTC):%Y-%m-%d %H:%M} UTC"


def _parse(model: type[Payload], body: bytes) -> Payload:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        reason = in_words(error)
    raise BadInput(f"not the {model.__name__} that Copyleaks documents: {reason}")


def _completed(webhook: CompletedWebhook) -> Registration:
    document = webhook.scanned_document
    details = ScanDetails.of_webhook(webhook).to_json()
    return Registration(document.scan_id, details, end_of(document.creation_time, MAX_SCAN_LIFE))


def _failed(webhook: ErrorWebhook) -> Registration:
    reason = webhook.error.text or "the vendor gave no reason"
    if webhook.scan is None:
        kind = webhook.error.type and f"{webhook.error.type}: "
        raise BadInput(
            f"the vendor failed a scan and did not name it: {kind}{reason}; put the scan id into"
            " developerPayload when submitting"
        )
    return Registration(webhook.scan, failure=reason)


def _delivery(name: str, task: ExportTask) -> Delivery:
    status = task.http_status_code
    is_success = status is not None and status // 100 == 2  # noqa: PLR2004
    return Delivery(name, healthy=task.is_healthy and is_success, status=status)


def _place(url: str) -> tuple[str, str | None, int | None, str]:
    """What identifies an endpoint: scheme, host, port and decoded path."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return "", None, None, url
    return parts.scheme, parts.hostname, port, unquote(parts.path)
