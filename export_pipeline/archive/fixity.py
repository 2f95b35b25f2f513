"""What an audit of many bags found: totals, and what is wrong by name."""

from dataclasses import dataclass, field

from export_pipeline.archive.audit import AuditReport


@dataclass
class FixityReport:
    """Totals of an audit so far.

    Args:
        bags: how many bags were judged.
        files: how many of their files.
        bytes: how many bytes those had.
        failed: the bags that are not whole, or could not be read.
        elsewhere: what is wrong outside of the bags that were judged, a sentence each.
        unkept: why records of what was found are not in the store, a sentence each.
    """

    bags: int = 0
    files: int = 0
    bytes: int = 0
    failed: list[AuditReport] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    unkept: list[str] = field(default_factory=list)

    def add(self, report: AuditReport) -> None:
        """Count one bag."""
        self.bags += 1
        self.files += report.files
        self.bytes += report.bytes
        if not report.passed:
            self.failed.append(report)

    @property
    def problems(self) -> list[str]:
        """What is wrong with the archive, a sentence each."""
        return [problem for one in self.failed for problem in one.problems] + self.elsewhere

    @property
    def names(self) -> dict[str, list[str]]:
        """What is wrong by kind: keys of files, or for `seal` and `unread` folders of bags."""
        return {
            "changed": [one.prefix + path for one in self.failed for path in one.changed],
            "missing": [one.prefix + path for one in self.failed for path in one.missing],
            "untracked": [one.prefix + path for one in self.failed for path in one.untracked],
            "seal": [one.prefix for one in self.failed if one.seal],
            "unread": [one.prefix for one in self.failed if one.unread],
        }
