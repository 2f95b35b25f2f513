"""The body of a submission (FACTS 1.2): enough of it to make a scan."""

import hashlib
from collections.abc import Mapping
from typing import Any

from export_pipeline.sandbox.copyleaks.errors import invalid
from export_pipeline.sandbox.copyleaks.orders import HEADERS_RULE, header_pairs, is_http_url
from export_pipeline.sandbox.copyleaks.scans import MAX_EXPIRATION_HOURS, ScanSpec

MOST_RESULTS = 12
# The property and its switch that make the scan have the artifact.
SWITCHES = {
    "pdfReport": ("pdf", "create"),
    "aiDetection": ("aiGeneratedText", "detect"),
    "writingFeedback": ("writingFeedback", "enable"),
    "overview": ("overview", "enable"),
}


def read_submission(account: str, scan_id: str, body: object) -> ScanSpec:
    """The scan that `body` asks for, or a 400 envelope naming what is wrong."""
    properties = _object(_object(body).get("properties"))
    webhooks = _object(properties.get("webhooks"))
    return ScanSpec(
        scan_id,
        results=1 + hashlib.sha256(scan_id.encode()).digest()[0] % MOST_RESULTS,
        artifacts=("crawledVersion", *_switched_on(properties)),
        status_url=_status_url(webhooks.get("status")),
        status_headers=_status_headers(webhooks.get("statusHeaders")),
        expiration_hours=_expiration(properties.get("expiration")),
        developer_payload=str(properties.get("developerPayload") or ""),
        account=account,
    )


def _status_url(value: object) -> str:
    name = "properties.webhooks.status"
    if value is None:
        raise invalid([(name, f"'{name}' is required.")], missing=True)
    if not isinstance(value, str) or not is_http_url(value.replace("{", "").replace("}", "")):
        raise invalid([(name, f"'{name}' must be an absolute http or https URI.")])
    return value


def _status_headers(value: object) -> tuple[tuple[str, str], ...]:
    headers = header_pairs(value)
    if headers is None:
        name = "properties.webhooks.statusHeaders"
        raise invalid([(name, f"'{name}' {HEADERS_RULE}")])
    return tuple(headers)


def _expiration(value: object) -> int:
    if value is None:
        return MAX_EXPIRATION_HOURS
    if type(value) is not int or not 1 <= value <= MAX_EXPIRATION_HOURS:
        name = "properties.expiration"
        raise invalid([(name, f"'{name}' must be 1 to {MAX_EXPIRATION_HOURS} hours.")])
    return value


def _switched_on(properties: Mapping[str, Any]) -> list[str]:
    return [
        artifact
        for artifact, (name, switch) in SWITCHES.items()
        if _object(properties.get(name)).get(switch) is True
    ]


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
