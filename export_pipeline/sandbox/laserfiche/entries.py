"""What lies in the repository: folders, documents, shortcuts, as a test or a demo put it there."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from export_pipeline.sandbox.laserfiche.errors import not_found

ROOT = 1
FIRST_ID = 100
_ID = re.compile(r"[1-9]\d{0,9}", re.ASCII)
DOCUMENT, FOLDER, SHORTCUT = "Document", "Folder", "Shortcut"
TYPES = (DOCUMENT, FOLDER, SHORTCUT, "RecordSeries")

LOCKED = "locked"
DENIED = "denied"
FAILS_FIRST = "fails_first"
REFUSED = "refused"
CANCELLED_FIRST = "cancelled_first"
NEVER_ENDS_FIRST = "never_ends_first"
LOST_FIRST = "lost_first"
DEAD_LINK_FIRST = "dead_link_first"
CORRUPT_FIRST = "corrupt_first"
CUT_FIRST = "cut_first"
TRAITS = {
    LOCKED,
    DENIED,
    FAILS_FIRST,
    REFUSED,
    CANCELLED_FIRST,
    NEVER_ENDS_FIRST,
    LOST_FIRST,
    DEAD_LINK_FIRST,
    CORRUPT_FIRST,
    CUT_FIRST,
}


@dataclass(frozen=True)
class EntrySpec:
    """What an entry is to be.

    `edoc_bytes` is None without an electronic document. `modified` and `created` are Unix seconds,
    now if not given. `work_seconds` is how long each of its exports works, the pace's if not given.
    `traits` are of `TRAITS`: those that end in `_first` concern the first export of each part.
    `locked` is a 423 of the synchronous export, `denied` a 403 of either, `refused` a task that
    fails for good, `lost_first` a task that the vendor forgets, `cut_first` a file whose connection
    breaks half way, once.
    """

    name: str
    id: int | None = None
    type: str = DOCUMENT
    parent: int = ROOT
    pages: int = 0
    extension: str | None = None
    edoc_bytes: int | None = None
    target: int | None = None
    creator: str = "archivist"
    template: str | None = None
    created: float | None = None
    modified: float | None = None
    work_seconds: float | None = None
    traits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = sorted(set(self.traits) - TRAITS)
        if unknown or self.type not in TYPES:
            raise ValueError(f"entry {self.name!r}: unknown type or traits {self.type} {unknown}")

    def to_json(self) -> dict[str, Any]:
        """The body that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "EntrySpec":
        """A spec as posted to the control endpoint; raises ValueError on anything unknown."""
        unknown = body.keys() - {one.name for one in fields(cls)}
        if unknown or not isinstance(body.get("name"), str):
            raise ValueError(f"an entry needs a 'name' and has no fields {sorted(unknown)}")
        return cls(**{**body, "traits": tuple(body.get("traits", ()))})


@dataclass
class Entry:
    """An entry, and how often each of its parts was exported."""

    id: int
    spec: EntrySpec
    parent: int
    created: float
    modified: float
    exports: dict[str, int] = field(default_factory=dict)

    def count(self, part: str) -> bool:
        """Count an export of `part`; return whether it is the first."""
        self.exports[part] = self.exports.get(part, 0) + 1
        return self.exports[part] == 1


class Entries:
    """All entries of the repository, by id."""

    def __init__(self, now: float) -> None:
        self._entries: dict[int, Entry] = {}
        self.add(EntrySpec("", id=ROOT, type=FOLDER, parent=0), now)

    def add(self, spec: EntrySpec, now: float) -> Entry:
        """Put an entry into its folder."""
        number = spec.id or max(FIRST_ID, *self._entries.keys()) + 1
        created = now if spec.created is None else spec.created
        modified = now if spec.modified is None else spec.modified
        self._entries[number] = Entry(number, spec, spec.parent, created, modified)
        return self._entries[number]

    def get(self, text: str) -> Entry:
        """The entry of that id as a path has it, or a 404."""
        entry = self._entries.get(int(text)) if _ID.fullmatch(text) else None
        if entry is None:
            raise not_found("Entry with requested ID was not found.")
        return entry

    def remove(self, number: int) -> None:
        """Delete the entry if there is one."""
        self._entries.pop(number, None)

    def all(self) -> list[Entry]:
        """Every entry but the root, by id."""
        return [one for number, one in sorted(self._entries.items()) if number != ROOT]

    def children(self, folder: int) -> list[Entry]:
        """What lies directly in a folder, by name."""
        return sorted((one for one in self.all() if one.parent == folder), key=_name)

    def path(self, entry: Entry) -> str:
        r"""The full path, e.g. `\Accounts Payable\Invoices\x`; `\` for the root."""
        names: list[str] = []
        while entry.id != ROOT and len(names) < len(self._entries):
            names.append(entry.spec.name)
            entry = self._entries.get(entry.parent, self._entries[ROOT])
        return "\\" + "\\".join(reversed(names))

    def by_path(self, path: str) -> Entry | None:
        """The entry of that full path."""
        wanted = "\\" + path.strip("\\")
        everything = [self._entries[ROOT], *self.all()]
        return next((one for one in everything if self.path(one) == wanted), None)

    def listed(self, entry: Entry) -> dict[str, Any]:
        """An entry as a listing tells of it: without what only its type has (FACTS 2.7)."""
        path = self.path(entry)
        return {
            "@odata.type": f"#Laserfiche.Repository.{entry.spec.type}",
            "id": entry.id,
            "name": entry.spec.name,
            "parentId": entry.parent,
            "fullPath": path,
            "folderPath": path.rpartition("\\")[0] or "\\",
            "creator": entry.spec.creator,
            "creationTime": timestamp(entry.created),
            "lastModifiedTime": timestamp(entry.modified),
            "entryType": entry.spec.type,
            "isContainer": entry.spec.type != DOCUMENT,
            "isLeaf": entry.spec.type in (DOCUMENT, SHORTCUT),
            "templateName": entry.spec.template,
            "templateId": 0,
            "templateFieldNames": [],
            "volumeName": "DEFAULT",
            "rowNumber": None,
            "fields": [],
        }

    def told(self, entry: Entry) -> dict[str, Any]:
        """An entry as the call for it alone tells of it."""
        if entry.spec.type == SHORTCUT:
            target = {"targetId": entry.spec.target, "targetType": DOCUMENT, "extension": None}
            return {**self.listed(entry), **target}
        if entry.spec.type != DOCUMENT:
            own = {"isRecordFolder": False, "isUnderRecordSeries": False}
            return {**self.listed(entry), **own}
        return {
            **self.listed(entry),
            "electronicDocumentSize": entry.spec.edoc_bytes or 0,
            "extension": entry.spec.extension or "",
            "isElectronicDocument": entry.spec.edoc_bytes is not None,
            "isRecord": False,
            "mimeType": None,
            "pageCount": entry.spec.pages,
            "isCheckedOut": False,
            "isUnderVersionControl": False,
        }


def timestamp(seconds: float) -> str:
    """Unix seconds with seven fractional digits, as seed 001's samples."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def _name(entry: Entry) -> tuple[str, int]:
    return entry.spec.name.casefold(), entry.id
