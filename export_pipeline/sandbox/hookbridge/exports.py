"""Exports: what each is of, how it stands at a time, and how it misbehaves."""

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

from export_pipeline.sandbox.files import File
from export_pipeline.sandbox.hookbridge.errors import not_found
from export_pipeline.sandbox.hookbridge.filters import Filters, read_filters, shown
from export_pipeline.sandbox.hookbridge.messages import csv_file, messages, uuid7
from export_pipeline.sandbox.hookbridge.options import HookBridgeOptions

# FACTS 3.2: `expires_at` of the documents' example is `completed_at` and 7 days.
LIFE_SECONDS = 7 * 24 * 3600
FAILURE = "The export could not be written"

FAILS = "fails"
NEVER_ENDS = "never_ends"
FEWER_ROWS = "fewer_rows"
FEWER_BYTES = "fewer_bytes"
NO_CSV = "no_csv"
TRAITS = {FAILS, NEVER_ENDS, FEWER_ROWS, FEWER_BYTES, NO_CSV}

Status = Literal["pending", "processing", "completed", "failed", "expired"]


@dataclass(frozen=True)
class ExportSpec:
    """An export to make by the control endpoint.

    Args:
        filters: the body that creates one.
        traits: names of `TRAITS`; those that make its file another than it is said to be keep
            whatever they do not name.
        age_seconds: how long ago it was created; a minute is old enough to be completed.
        project: whose it is; the first one's without.
    """

    filters: Mapping[str, Any]
    traits: tuple[str, ...] = ()
    age_seconds: float = 60.0
    project: str | None = None

    def __post_init__(self) -> None:
        if unknown := set(self.traits) - TRAITS:
            raise ValueError(f"unknown traits {sorted(unknown)}")

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "ExportSpec":
        """A spec as posted to the control endpoint; raises ValueError on anything unknown."""
        if unknown := body.keys() - {one.name for one in fields(cls)}:
            raise ValueError(f"an export has no fields {sorted(unknown)}")
        return cls(**{**body, "traits": tuple(body.get("traits", ()))})


@dataclass
class Export:
    """One export; everything about it follows from the time."""

    id: str
    project: str
    filters: Filters
    options: HookBridgeOptions
    created: float
    traits: frozenset[str] = field(default=frozenset())
    expired: float | None = None

    @property
    def started(self) -> float:
        """When it is begun, in Unix seconds."""
        return self.created + self.options.limits.pending_seconds

    @property
    def completed(self) -> float:
        """When it ends, in Unix seconds."""
        return self.started + self.options.limits.processing_seconds

    @property
    def expires(self) -> float:
        """When its file goes, in Unix seconds."""
        return self.expired or self.completed + LIFE_SECONDS

    def status(self, now: float) -> Status:
        """How it stands."""
        if now < self.started:
            return "pending"
        if now < self.completed or NEVER_ENDS in self.traits:
            return "processing"
        if FAILS in self.traits:
            return "failed"
        return "completed" if now < self.expires else "expired"

    def is_active(self, now: float) -> bool:
        """Whether it is still to end."""
        return self.status(now) in ("pending", "processing")

    @cached_property
    def file(self) -> File:
        """The file as the link brings it."""
        rows = self._rows[: -1 if FEWER_ROWS in self.traits else None]
        body = csv_file(rows)
        # As long as it is said to be: what is missing of rows is found only by counting them.
        body = body[:-2] + b" " * (len(self._whole) - len(body)) + body[-2:]
        if FEWER_BYTES in self.traits:
            body = body[: len(body) // 2]
        if NO_CSV in self.traits:
            body = body.replace(b",", b";", 1)
        return File(body, "text/csv", f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"')

    def to_json(self, now: float) -> dict[str, Any]:
        """The vendor's object (FACTS 3.2)."""
        status = self.status(now)
        has_file = status in ("completed", "expired")
        return {
            "id": self.id,
            "project_id": self.project,
            "status": status,
            **self.filters.to_json(),
            "row_count": len(self._rows) if has_file else None,
            "file_size_bytes": len(self._whole) if has_file else None,
            "error_message": FAILURE if status == "failed" else None,
            "started_at": _shown(self.started) if status != "pending" else None,
            "completed_at": _shown(self.completed) if not self.is_active(now) else None,
            "expires_at": _shown(self.expires) if has_file else None,
            "created_at": _shown(self.created),
        }

    @cached_property
    def _rows(self) -> list[list[str]]:
        is_included = self.options.end == "included"
        found = messages(self.filters, self.options.message_seconds, end_included=is_included)
        return [message.row for message in found]

    @cached_property
    def _whole(self) -> bytes:
        return csv_file(self._rows)


class Exports:
    """All exports of all projects, the newest last."""

    def __init__(self) -> None:
        self._exports: dict[tuple[str, str], Export] = {}
        self._numbers = itertools.count(1)

    def create(self, spec: ExportSpec, options: HookBridgeOptions, now: float) -> Export:
        """Make one, as a call or a test asks for it."""
        project, created = spec.project or options.projects[0].id, now - spec.age_seconds
        export_id = str(uuid7(created, f"export {next(self._numbers)}"))
        filters, traits = read_filters(spec.filters), frozenset(spec.traits)
        filters.require_within(options.window_days)
        export = Export(export_id, project, filters, options, created, traits)
        self._exports[project, export_id] = export
        return export

    def of(self, project: str) -> list[Export]:
        """Those of a project, the newest first."""
        return [one for one in reversed(self._exports.values()) if one.project == project]

    def get(self, project: str, export_id: str) -> Export:
        """One of a project, or a 404."""
        export = self._exports.get((project, export_id))
        if export is None:
            raise not_found()
        return export

    def remove(self, export: Export) -> None:
        """Forget it, with its file."""
        del self._exports[export.project, export.id]


def _shown(seconds: float) -> str:
    return shown(datetime.fromtimestamp(int(seconds), UTC))
