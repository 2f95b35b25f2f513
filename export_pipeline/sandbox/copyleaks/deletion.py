"""The body of a delete call (FACTS 1.9)."""

from dataclasses import dataclass

from export_pipeline.sandbox.copyleaks.errors import invalid
from export_pipeline.sandbox.copyleaks.orders import (
    HEADERS_RULE,
    Headers,
    header_pairs,
    is_http_url,
)

DELETED_PER_CALL = 10_000


@dataclass(frozen=True)
class Deletion:
    """The ids to delete and whom to tell."""

    scans: list[str]
    webhook: str | None
    headers: Headers


def read_deletion(body: object) -> Deletion:
    """The deletion in `body`, or a 400 envelope naming what is wrong."""
    fields = body if isinstance(body, dict) else {}
    scans = fields.get("scans")
    if not isinstance(scans, list) or len(scans) > DELETED_PER_CALL:
        message = f"'scans' must be an array of at most {DELETED_PER_CALL} items."
        raise invalid([("scans", message)])
    ids = [str(item["id"]) for item in scans if isinstance(item, dict) and "id" in item]
    webhook = fields.get("completionWebhook")
    if webhook is not None and not (isinstance(webhook, str) and is_http_url(webhook)):
        raise invalid([("completionWebhook", "'completionWebhook' must be an absolute URI.")])
    headers = header_pairs(fields.get("completionWebhookHeaders"))
    if headers is None:
        message = f"'completionWebhookHeaders' {HEADERS_RULE}"
        raise invalid([("completionWebhookHeaders", message)])
    return Deletion(ids, webhook, headers)
