"""The environment variables that point the project at a sandbox."""

from collections.abc import Mapping
from typing import Any

from export_pipeline.sandbox import SandboxOptions

_NAMES = {
    "EXPORT_COPYLEAKS_API_URL": "copyleaks_api",
    "EXPORT_COPYLEAKS_LOGIN_URL": "copyleaks_identity",
    "EXPORT_COPYLEAKS_EMAIL": "copyleaks_email",
    "EXPORT_COPYLEAKS_KEY": "copyleaks_key",
    "EXPORT_LASERFICHE_URL": "laserfiche",
    "EXPORT_LASERFICHE_REPOSITORY": "laserfiche_repository",
    "EXPORT_LASERFICHE_USERNAME": "laserfiche_username",
    "EXPORT_LASERFICHE_PASSWORD": "laserfiche_password",
    "EXPORT_HOOKBRIDGE_API_URL": "hookbridge",
    "EXPORT_HOOKBRIDGE_KEY": "hookbridge_key",
    "EXPORT_CLOUDCONVERT_API_URL": "cloudconvert",
    "EXPORT_CLOUDCONVERT_SYNC_URL": "cloudconvert_sync",
    "EXPORT_CLOUDCONVERT_KEY": "cloudconvert_key",
    "EXPORT_CLOUDCONVERT_WEBHOOK_SECRET": "cloudconvert_webhook_secret",
}


def sandbox_variables(told: Mapping[str, Any], options: SandboxOptions) -> dict[str, str]:
    """Each variable with its value, from what the sandbox announced.

    Its limits are the documented ones, and then need no variable, or at pace `fast` others.
    """
    variables = {name: str(told[key]) for name, key in _NAMES.items()}
    return variables | (_limits(options) if options.copyleaks.pace == "fast" else {})


def _limits(options: SandboxOptions) -> dict[str, str]:
    copyleaks, laserfiche = options.copyleaks.limits, options.laserfiche.limits
    cloudconvert = options.cloudconvert.limits
    return {
        "EXPORT_COPYLEAKS_EXPORTS_PER_MINUTE": str(copyleaks.exports_per_minute),
        "EXPORT_COPYLEAKS_REQUESTS_PER_SECOND": str(copyleaks.requests_per_second),
        "EXPORT_HOOKBRIDGE_REQUESTS_PER_MINUTE": str(options.hookbridge.limits.requests_per_minute),
        "EXPORT_LASERFICHE_EXPORTS_PER_MINUTE": str(laserfiche.exports_per_minute),
        "EXPORT_LASERFICHE_CALLS_PER_MINUTE": str(laserfiche.calls_per_minute),
        "EXPORT_CLOUDCONVERT_REQUESTS_PER_MINUTE": str(cloudconvert.requests_per_minute),
    }
