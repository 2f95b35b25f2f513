"""OpenStack Swift, as Dagster users configure it."""

from collections.abc import Mapping

from export_pipeline.defs.resources import Storage, secret


class SwiftStorage(Storage):
    """The archive on OpenStack Swift. What is set here goes before the EXPORT_SWIFT_ variables."""

    auth_url: str | None = None
    """Overrides EXPORT_SWIFT_AUTH_URL."""
    username: str | None = None
    """Overrides EXPORT_SWIFT_USERNAME."""
    password: str | None = secret("EXPORT_SWIFT_PASSWORD")
    tenant_name: str | None = None
    """Overrides EXPORT_SWIFT_TENANT_NAME."""
    region: str | None = None
    """Overrides EXPORT_SWIFT_REGION."""
    tempurl_key: str | None = secret("EXPORT_SWIFT_TEMPURL_KEY")

    def variables(self) -> Mapping[str, str]:
        """See `Storage.variables`."""
        fields = {
            "EXPORT_SWIFT_AUTH_URL": self.auth_url,
            "EXPORT_SWIFT_USERNAME": self.username,
            "EXPORT_SWIFT_PASSWORD": self.password,
            "EXPORT_SWIFT_TENANT_NAME": self.tenant_name,
            "EXPORT_SWIFT_REGION": self.region,
            "EXPORT_SWIFT_TEMPURL_KEY": self.tempurl_key,
        }
        return {name: value for name, value in fields.items() if value}
