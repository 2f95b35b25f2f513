"""The vendor's scans: what each has, how it misbehaves, and what was ordered of it."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from export_pipeline.sandbox.copyleaks.errors import EnvelopeError
from export_pipeline.sandbox.copyleaks.orders import SINGLE_ARTIFACTS

# FACTS 1.2: an expiration is 1 to 2880 hours; the default is undocumented, the most is taken.
MAX_EXPIRATION_HOURS = 2880

UNHEALTHY_FIRST = "unhealthy_first"
LOST_ANSWER = "lost_answer"
CORRUPT_FIRST = "corrupt_first"
NEVER_DELIVERS = "never_delivers"
NO_COMPLETION = "no_completion"
DOUBLE_COMPLETION = "double_completion"
NO_COMPLETED = "no_completed"
DOUBLE_COMPLETED = "double_completed"
SLOW = "slow"
TRAITS = {
    UNHEALTHY_FIRST,
    LOST_ANSWER,
    CORRUPT_FIRST,
    NEVER_DELIVERS,
    NO_COMPLETION,
    DOUBLE_COMPLETION,
    NO_COMPLETED,
    DOUBLE_COMPLETED,
    SLOW,
}


@dataclass(frozen=True)
class ScanSpec:
    """What a scan is to be.

    `traits` are names of `TRAITS`; those about deliveries may name one artifact after a colon
    (`unhealthy_first:overview`, `never_delivers:results/1f2e3d4c5b`), else all are meant;
    `lost_answer` delivers the bytes and never learns so, whatever is answered. `sizes`
    are bytes by artifact field, `results` for each result. `status_url` has a `{STATUS}` token.
    `enabled` tells whether the completed webhook carries its `enabled` block.
    """

    id: str
    results: int = 3
    artifacts: tuple[str, ...] = SINGLE_ARTIFACTS
    traits: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    status_url: str | None = None
    status_headers: tuple[tuple[str, str], ...] = ()
    enabled: bool = True
    expiration_hours: float = MAX_EXPIRATION_HOURS
    developer_payload: str = ""
    account: str | None = None

    def __post_init__(self) -> None:
        unknown = {trait.partition(":")[0] for trait in self.traits} - TRAITS
        unknown |= set(self.artifacts) - set(SINGLE_ARTIFACTS)
        unknown |= self.sizes.keys() - {"results", *SINGLE_ARTIFACTS}
        if unknown:
            raise ValueError(f"scan {self.id!r}: unknown traits or artifacts {sorted(unknown)}")

    def to_json(self) -> dict[str, Any]:
        """The body that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "ScanSpec":
        """A spec as posted to the control endpoint; raises ValueError on anything unknown."""
        unknown = body.keys() - {f.name for f in fields(cls)}
        if unknown or not isinstance(body.get("id"), str):
            raise ValueError(f"a scan needs an 'id' and has no fields {sorted(unknown)}")
        tuples = {name: tuple(body[name]) for name in ("artifacts", "traits") if name in body}
        headers = tuple((name, value) for name, value in body.get("status_headers", ()))
        return cls(**{**body, **tuples, "status_headers": headers})


class Scan:
    """One scan at the vendor, with what was ordered and sent of it so far."""

    def __init__(self, spec: ScanSpec, created: float, *, finished: bool = True) -> None:
        self.spec = spec
        self.created = created
        self.finished = finished
        self.result_ids = [_result_id(spec.id, number) for number in range(spec.results)]
        self.exports: set[str] = set()
        self.sent: Counter[str] = Counter()
        self._ordered: Counter[str] = Counter()
        self._artifacts = {*spec.artifacts, *(f"results/{result}" for result in self.result_ids)}

    def has(self, trait: str, artifact: str | None = None) -> bool:
        """Whether the scan has the trait, for `artifact` if one is given."""
        return trait in self.spec.traits or f"{trait}:{artifact}" in self.spec.traits

    def absent(self, artifacts: Iterable[str]) -> list[str]:
        """Those of `artifacts` that the scan does not have."""
        return [artifact for artifact in artifacts if artifact not in self._artifacts]

    def order(self, artifacts: Iterable[str]) -> set[str]:
        """Count an order of `artifacts`; returns those that this order will fail to deliver."""
        failing = set()
        for artifact in artifacts:
            self._ordered[artifact] += 1
            if self._fails(artifact):
                failing.add(artifact)
        return failing

    def _fails(self, artifact: str) -> bool:
        if artifact not in self._artifacts or self.has(NEVER_DELIVERS, artifact):
            return True
        return self._ordered[artifact] == 1 and self.has(UNHEALTHY_FIRST, artifact)


class Scans:
    """All scans of all accounts."""

    def __init__(self, default_account: str) -> None:
        self._default_account = default_account
        self._scans: dict[tuple[str, str], Scan] = {}

    def add(self, scan: Scan) -> None:
        """Keep the scan, in place of an older one of its id."""
        self._scans[self._key(scan.spec.account, scan.spec.id)] = scan

    def holds(self, account: str | None, scan_id: str) -> bool:
        """Whether the account has such a scan."""
        return self._key(account, scan_id) in self._scans

    def get(self, account: str | None, scan_id: str, now: float) -> Scan:
        """The scan, or a 404 envelope if it is unknown, deleted or expired."""
        scan = self._scans.get(self._key(account, scan_id))
        if scan is None or now >= scan.created + scan.spec.expiration_hours * 3600:
            raise EnvelopeError(
                404, "invalid_request_error", "not_found", "The scan was not found."
            )
        return scan

    def remove(self, account: str | None, scan_id: str) -> None:
        """Forget the scan if there is one."""
        self._scans.pop(self._key(account, scan_id), None)

    def _key(self, account: str | None, scan_id: str) -> tuple[str, str]:
        return account or self._default_account, scan_id


def _result_id(scan_id: str, number: int) -> str:
    return hashlib.sha256(f"{scan_id}\0{number}".encode()).hexdigest()[:10]
