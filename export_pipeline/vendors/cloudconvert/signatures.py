"""CloudConvert's webhooks: genuine by a signature over the raw body (FACTS 4.7)."""

import hmac
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from export_pipeline.vendors.cloudconvert.models import JobEvent
from export_pipeline.vendors.cloudconvert.options import CloudConvertSigner
from export_pipeline.vendors.cloudconvert.tags import order_of

SIGNATURE = "CloudConvert-Signature"
FINISHED_EVENT = "job.finished"
ENDED = (FINISHED_EVENT, "job.failed")
"""The events that end a job."""
EVENT_CHARACTERS = 64


class CloudConvertSigned:
    """Tells genuine webhooks, and what each is about.

    Args:
        accounts: with their signing secrets.
        refused_status: what a wrong signature is answered.
    """

    def __init__(self, accounts: Sequence[CloudConvertSigner], refused_status: int) -> None:
        self._secrets = {
            account.name: [one.get_secret_value().encode() for one in account.webhook_secrets]
            for account in accounts
            if account.webhook_secrets
        }
        self._refused_status = refused_status

    @property
    def accounts(self) -> Collection[str]:
        """Accounts whose signing secrets are known."""
        return self._secrets.keys()

    @property
    def refused_status(self) -> int:
        """EXPORT_CLOUDCONVERT_REJECT."""
        return self._refused_status

    def is_genuine(self, account: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether one of the account's secrets made the signature."""
        given = headers.get(SIGNATURE, "").strip().lower().encode("utf-8", "surrogatepass")
        # A list, so that the time does not tell which secret matched.
        matches = [
            hmac.compare_digest(given, hmac.digest(secret, body, "sha256").hex().encode())
            for secret in self._secrets.get(account, ())
        ]
        return any(matches)

    def order_of(self, event: Mapping[str, Any]) -> str | None:
        """The order whose job ended, None if the webhook says no such thing."""
        job = event.get("job")
        if event.get("event") not in ENDED or not isinstance(job, dict):
            return None
        return order_of(job.get("tag"))

    def name_of(self, event: Mapping[str, Any]) -> str:
        """The event and the job: there is no time in it by which a repeat could be told."""
        job = event.get("job")
        job_id = job.get("id") if isinstance(job, dict) else None
        return f"{event.get('event')} {job_id}"

    def kept(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """What is read of a job; of what is not as documented nothing but the event's name.

        Its tasks' arguments go, which may be told with them (FACTS 4.3): credentials stand there.
        """
        try:
            return JobEvent.model_validate(event).to_json()
        except ValidationError:
            return {"event": str(event.get("event"))[:EVENT_CHARACTERS]}
