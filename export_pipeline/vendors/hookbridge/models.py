"""Every payload that comes from HookBridge (FACTS 3.2 and 3.3)."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from export_pipeline.vendors.fields import Moment
from export_pipeline.vendors.hookbridge.filters import Direction, Filters

COMPLETED = "completed"
FAILED = "failed"
EXPIRED = "expired"


class _Incoming(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Export(_Incoming):
    """An export as the vendor shows it; what it has only once completed is None before.

    Its filters are read as they come: only one that is to be made anew needs them understood.
    """

    id: UUID
    status: str
    direction: str | None = None
    filter_start_time: Moment | None = None
    filter_end_time: Moment | None = None
    filter_status: str | None = None
    filter_endpoint_id: str | None = None
    filter_inbound_endpoint_id: str | None = None
    row_count: int | None = Field(None, ge=0)
    file_size_bytes: int | None = Field(None, ge=0)
    error_message: str | None = None
    created_at: Moment
    completed_at: Moment | None = None
    expires_at: Moment | None = None

    @property
    def is_over(self) -> bool:
        """Whether it ended without a file, or its file went."""
        return self.status in (FAILED, EXPIRED)

    @property
    def filters(self) -> Filters | None:
        """What another one of the same would be created with; None if it is not documented.

        An endpoint goes in as `ep_` and hexadecimal digits and comes back as a dashed UUID.
        """
        endpoint = (self.filter_endpoint_id or "").lower().replace("-", "").removeprefix("ep_")
        shown = {
            "start_time": self.filter_start_time,
            "end_time": self.filter_end_time,
            "status": self.filter_status or None,
            # Exports of before there was a choice have none.
            "direction": self.direction or Direction.OUTBOUND,
            "endpoint_id": f"ep_{endpoint}" if endpoint else None,
            "inbound_endpoint_id": self.filter_inbound_endpoint_id or None,
        }
        try:
            return Filters.model_validate(shown)
        except ValidationError:
            return None

    def facts(self) -> dict[str, Any]:
        """What is kept of it with its file."""
        kept = {"id", "row_count", "file_size_bytes", "created_at", "completed_at", "expires_at"}
        return self.model_dump(mode="json", include=kept, exclude_none=True)


class ExportAnswer(_Incoming):
    """One export in its envelope."""

    data: Export


class ExportsAnswer(_Incoming):
    """All exports of a project."""

    data: list[Any]

    @property
    def exports(self) -> Iterator[Export]:
        """Those that are as documented: one that is not must not hide the others."""
        for shown in self.data:
            with suppress(ValidationError):
                yield Export.model_validate(shown)


class _Problem(_Incoming):
    code: str = ""
    message: str = ""


class _ErrorEnvelope(_Incoming):
    error: _Problem


def read_error(body: bytes) -> tuple[str, str]:
    """The code and the words of an error; no code if it is not the vendor's envelope."""
    try:
        found = _ErrorEnvelope.model_validate_json(body).error
    except ValidationError:
        return "", body.decode(errors="replace")
    return found.code, f"{found.code}: {found.message}" if found.message else found.code
