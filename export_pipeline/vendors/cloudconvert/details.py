"""What the ledger keeps of one of CloudConvert's scans: what it is, and how it is to come."""

from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from export_pipeline.ledger.rows import Scan
from export_pipeline.vendors.cloudconvert.options import Way
from export_pipeline.vendors.vendor import Registration

TAG_BEGIN = "tag:"
"""With what the id of a scan begins that is the newest job of a tag."""


class Kind(StrEnum):
    """What a scan is."""

    JOB = "job"
    TASK = "task"
    TAG = "tag"
    CONVERSION = "conversion"


class Source(BaseModel):
    """The archived file that a conversion is made of.

    Args:
        bag: the prefix of its bag in the archive.
        key: the store's key of the file.
        sha256: in lower-case hexadecimal.
        size: in bytes.
        vendor: whose scan it is of.
        account: of which account.
        scan: the vendor's own id of it.
    """

    model_config = ConfigDict(frozen=True)

    bag: str
    key: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)
    vendor: str
    account: str
    scan: str

    @property
    def file_name(self) -> str:
        """What the file is called in its bag."""
        return self.key.rpartition("/")[2]


class ScanDetails(BaseModel):
    """What the ledger keeps of a scan as `Scan.details`.

    Args:
        kind: a job, a task, the newest job of a tag, or a conversion that we order; where nobody
            said, a job if there is one of that id, else a task.
        delivery: how its files come; None is what the settings say.
        inline: see seed 003; None is what the settings say.
        archive_multiple_files: see seed 003; None is what the settings say.
        source: what a conversion is made of.
    """

    model_config = ConfigDict(extra="ignore")

    kind: Kind = Kind.JOB
    delivery: Way | None = None
    inline: bool | None = None
    archive_multiple_files: bool | None = None
    source: Source | None = None

    @classmethod
    def of_scan(cls, scan: Scan) -> Self | None:
        """What a scan is: what was registered, and of that only what its id can be, else None."""
        details = cls.model_validate(scan.details)
        if scan.scan.startswith(TAG_BEGIN) and "kind" not in scan.details:
            details = details.model_copy(update={"kind": Kind.TAG})
        is_possible = {
            Kind.TAG: scan.scan.startswith(TAG_BEGIN),
            Kind.CONVERSION: details.source is not None,
        }
        return details if is_possible.get(details.kind, is_uuid(scan.scan)) else None

    def may_be(self, kind: Kind) -> bool:
        """Whether it is of that kind, as far as is known: unsaid, a job may also be a task."""
        is_unsaid = self.kind == Kind.JOB and "kind" not in self.model_fields_set
        return self.kind == kind or (is_unsaid and kind == Kind.TASK)

    def registration(self, scan: str, expires_at: float | None = None) -> Registration:
        """The scan to register."""
        return Registration(scan, self.to_json(), expires_at)

    def to_json(self) -> dict[str, Any]:
        """The ledger's form, without what is not set."""
        return self.model_dump(mode="json", exclude_none=True, exclude_unset=True)


def is_uuid(text: str) -> bool:
    """Whether it is an id of the vendor's, as the vendor writes it."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
