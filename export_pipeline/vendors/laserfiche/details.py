"""What the ledger keeps of one of Laserfiche's scans: which parts, how exported, which entry."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from export_pipeline.vendors.laserfiche.models import (
    INT32_MAX,
    ImageOptions,
    PageRange,
    Part,
    TextOptions,
)


class ExportOptions(BaseModel):
    """How parts are exported, under seed 001's own names.

    Args:
        page_range: pages of the image and text parts; None is all.
        audit_reason: the name of the reason that the repository's log is given.
        audit_reason_id: the reason by its id, in place of its name.
        audit_reason_comment: a comment beside it.
        image_options: for the image part.
        text_options: for the text part.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    page_range: PageRange | None = None
    audit_reason: str | None = Field(default=None, min_length=1)
    audit_reason_id: int | None = Field(default=None, ge=0, le=INT32_MAX)
    audit_reason_comment: str | None = None
    image_options: ImageOptions | None = None
    text_options: TextOptions | None = None

    @model_validator(mode="after")
    def _one_reason(self) -> "ExportOptions":
        if self.audit_reason is not None and self.audit_reason_id is not None:
            raise ValueError("set auditReason (its name) or auditReasonId, not both")
        return self

    def over(self, defaults: "ExportOptions | None") -> "ExportOptions":
        """These options, and of `defaults` those of which nothing is said here.

        `imageOptions` and `textOptions` are taken as a whole, and so is the audit reason, named
        either way.
        """
        if defaults is None:
            return self
        own = {name: getattr(self, name) for name in self.model_fields_set}
        if own.keys() & {"audit_reason", "audit_reason_id"}:
            own = {"audit_reason": None, "audit_reason_id": None, **own}
        return defaults.model_copy(update=own)

    def to_json(self) -> dict[str, Any]:
        """What was set."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class EntryFacts(BaseModel):
    """What was last seen of an entry; listings tell less than the entry itself."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str = ""
    path: str | None = None
    modified: datetime | None = None
    creator: str | None = None
    template: str | None = None
    extension: str | None = None
    size: int | None = None
    pages: int | None = None
    is_electronic: bool | None = None


class ScanDetails(BaseModel):
    """What the ledger keeps of a scan as `Scan.details`.

    Args:
        parts: which parts are asked for; None is what the settings say.
        options: how they are exported, over what the settings say.
        entry: what was last seen of the entry.
    """

    model_config = ConfigDict(extra="ignore")

    parts: tuple[Part, ...] | None = None
    options: ExportOptions = ExportOptions()
    entry: EntryFacts | None = None

    def to_json(self) -> dict[str, Any]:
        """The ledger's form: without what is unknown, so that it never hides what was known."""
        told: dict[str, Any] = {}
        if self.parts is not None:
            told["parts"] = [part.value for part in self.parts]
        if options := self.options.to_json():
            told["options"] = options
        if self.entry is not None:
            told["entry"] = self.entry.model_dump(mode="json", exclude_none=True)
        return told
