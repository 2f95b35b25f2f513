"""A web server that takes PUT, as Dagster users configure it."""

import json
from collections.abc import Mapping

from export_pipeline.defs.resources import Storage, secret


class HttpPutStorage(Storage):
    """The archive on a web server. What is set here goes before the EXPORT_HTTP_ variables."""

    username: str | None = None
    """Overrides EXPORT_HTTP_USERNAME."""
    password: str | None = secret("EXPORT_HTTP_PASSWORD")
    bearer_token: str | None = secret("EXPORT_HTTP_BEARER_TOKEN")
    headers: dict[str, str] | None = secret("EXPORT_HTTP_HEADERS")
    create_only: bool | None = None
    """Overrides EXPORT_HTTP_CREATE_ONLY."""

    def variables(self) -> Mapping[str, str]:
        """See `Storage.variables`."""
        fields = {
            "EXPORT_HTTP_USERNAME": self.username,
            "EXPORT_HTTP_PASSWORD": self.password,
            "EXPORT_HTTP_BEARER_TOKEN": self.bearer_token,
            "EXPORT_HTTP_HEADERS": json.dumps(self.headers) if self.headers else None,
            "EXPORT_HTTP_CREATE_ONLY": None if self.create_only is None else str(self.create_only),
        }
        return {name: value for name, value in fields.items() if value}
