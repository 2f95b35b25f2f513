"""What a benchmark archives of each vendor: made in the sandbox, registered in the ledger."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from export_pipeline.ledger import admission
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.vendors.cloudconvert.options import REQUESTS_PER_MINUTE
from export_pipeline_tests.benchmarks.home import Home
from export_pipeline_tests.benchmarks.samples import ARTIFACTS, FILE_BYTES, scans

CPU_SECONDS_A_SCAN = 0.05
CPU_SECONDS_AN_ARTIFACT = 0.01
PUSHED_CPU_SECONDS_A_SCAN = 0.1
"""What Copyleaks's six artifacts may cost, since they come in through the receiver."""

Register = Callable[[Home, int], object]


@dataclass(frozen=True)
class Subject:
    """One vendor's scans, all alike.

    Args:
        vendor: its name.
        kinds: the assets of its artifacts, of which each scan has some.
        artifacts: how many files a scan has.
        verbs: the op jobs that archive them.
        register: makes so many at the vendor and registers them.
        cpu_seconds: what a scan may cost, of all our processes.
        limit: the vendor's limit that sending uses, by its name here, in calls a minute.
    """

    vendor: str
    kinds: Sequence[str]
    artifacts: int
    verbs: Sequence[str]
    register: Register
    cpu_seconds: float
    limit: tuple[str, int]

    @property
    def assets(self) -> Sequence[str]:
        """All its assets, in the order in which they are materialized."""
        return ("order", *self.kinds, "bag")


def register(place: Home, subject: Subject, count: int) -> list[str]:
    """Make and register scans, and add their partitions; return their keys."""
    subject.register(place, count)
    with place.ledger.write() as tx:
        admitted = admission.admit(tx, subject.vendor, active_limit=count, chunk=count)
    keys = [scan.key.partition_key for scan in admitted]
    with place.instance() as instance:
        instance.add_dynamic_partitions(f"{subject.vendor}_scans", keys)
    return keys


def _of_copyleaks(place: Home, count: int) -> None:
    addresses = Addresses(place.settings.receiver_url, place.settings.secrets)
    target = addresses.scan_webhook("copyleaks", "default")
    place.complete(scans(count, target.url, tuple(target.headers)))


def _of_laserfiche(place: Home, count: int) -> None:
    spec = {"pages": 2, "extension": "pdf", "edoc_bytes": FILE_BYTES}
    made = place.control("entries", [{"name": f"entry {n}", **spec} for n in range(count)])
    place.bring_in(
        "laserfiche", [f'{{"scan": {one}, "part": "Image Text Edoc"}}' for one in made["ids"]]
    )


def _of_hookbridge(place: Home, count: int) -> None:
    window = {"start_time": "2026-11-20T00:00:00Z", "end_time": "2026-11-21T00:00:00Z"}
    made = place.control("exports", [{"filters": window}] * count)
    place.bring_in("hookbridge", [f'{{"scan": "{one}"}}' for one in made["ids"]])


def _of_cloudconvert(place: Home, count: int) -> None:
    files = [{"filename": "converted.txt", "size": FILE_BYTES}]
    made = place.control("jobs", [{"files": files}] * count)
    place.bring_in("cloudconvert", [f'{{"scan": "{one["id"]}"}}' for one in made["jobs"]])


_PULLED = ("queue", "send", "poll", "collect")


def _pulled(
    vendor: str, kinds: Sequence[str], register: Register, limit: tuple[str, int]
) -> Subject:
    allowed = CPU_SECONDS_A_SCAN + CPU_SECONDS_AN_ARTIFACT * len(kinds)
    return Subject(vendor, kinds, len(kinds), _PULLED, register, allowed, limit)


SUBJECTS = {
    subject.vendor: subject
    for subject in (
        Subject(
            "copyleaks",
            (
                "results",
                "crawled_version",
                "pdf_report",
                "ai_detection",
                "writing_feedback",
                "overview",
            ),
            ARTIFACTS,
            ("queue", "send", "collect"),
            _of_copyleaks,
            PUSHED_CPU_SECONDS_A_SCAN,
            ("exports per minute", 10),
        ),
        _pulled(
            "laserfiche",
            ("image", "text", "edoc"),
            _of_laserfiche,
            ("exports per minute", 30),
        ),
        _pulled("hookbridge", ("csv",), _of_hookbridge, ("requests per minute", 1_000)),
        _pulled(
            "cloudconvert",
            ("files",),
            _of_cloudconvert,
            ("requests per minute", REQUESTS_PER_MINUTE),
        ),
    )
}
