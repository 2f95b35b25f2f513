"""CloudConvert's artifacts: the files of a job or task, each under a name of its own."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from export_pipeline.ledger.rows import Scan
from export_pipeline.scans import escape
from export_pipeline.vendors.artifacts import ArtifactKind, PlannedArtifact
from export_pipeline.vendors.cloudconvert.details import ScanDetails
from export_pipeline.vendors.cloudconvert.models import EXPORT_URL, File, Job
from export_pipeline.vendors.openers import by_others, open_document

FOLDER = "files/"
NAME_CHARACTERS = 150
"""Of an escaped name; a longer one is cut, and told from others by a part of its hash."""
HASH_CHARACTERS = 16
FILES = ArtifactKind(
    "files",
    "The files of a finished job or task, each as CloudConvert has it.",
    "application/octet-stream",
    by_others(open_document),
)
KINDS = (FILES,)
UNKNOWN = PlannedArtifact(FILES.name, "files")
"""Planned in place of files that only the vendor knows; no file is ever named so."""
ARCHIVE = PlannedArtifact(FILES.name, f"{FOLDER}archive.zip")
"""Several files as one ZIP, whose own name is documented nowhere (FACTS 4.5)."""
ONE = "one"
"""Name of an export of ours that brings but one file, whatever it is called."""
SEVERAL = "several"
"""Name of an export of ours by the URLs of several files."""
STAGED = "staged"
"""Name of an export of ours that writes into the store with lent credentials."""


def name_files(files: Iterable[File]) -> dict[str, File]:
    """Each file under a name of its own, in whatever order the vendor lists them.

    Files that have folder and name in common are told apart by a number.
    """
    named: dict[str, File] = {}
    for file in sorted(files, key=lambda one: (one.path, one.size or 0)):
        name, number = safe(file.path), 1
        while FOLDER + name in named:
            number += 1
            name = _numbered(safe(file.path), number)
        named[FOLDER + name] = file
    return named


def safe(path: str) -> str:
    """The vendor's name of a file as one part of a path, whatever it holds."""
    name = escape(path) or "file"
    if len(name) <= NAME_CHARACTERS:
        return name
    digest = sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_CHARACTERS]
    return f"{name[: NAME_CHARACTERS - HASH_CHARACTERS - 1]}-{digest}"


def _numbered(name: str, number: int) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}-{number}{dot}{suffix}" if stem else f"{name}-{number}"


def exported(job: Job) -> dict[str, File]:
    """The files of a job's finished exports by URL, by the names of their artifacts."""
    tasks = [one for one in job.exports if one.operation == EXPORT_URL]
    return name_files(file for task in tasks for file in task.files if file.url)


def brings_one(job: Job) -> bool:
    """Whether a job of ours exports but one file, whatever the vendor calls that."""
    return [task.name for task in job.exports] == [ONE]


def matched(files: Mapping[str, File], wanted: Mapping[str, str]) -> dict[str, File]:
    """The files that artifacts are, where an export put some into other folders than they lay in.

    Args:
        files: as an export names them.
        wanted: names of artifacts -> the vendor's own names before the export.
    """
    found = {name: files[name] for name in wanted if name in files}
    left = [file for name, file in files.items() if name not in found]
    for name in sorted(wanted.keys() - found.keys()):
        path = wanted[name]
        same = [one for one in left if f"/{path}".endswith(f"/{one.filename}")]
        if same:
            found[name] = same[0]
            left.remove(same[0])
    return found


def planned(files: Sequence[tuple[str, File]]) -> list[PlannedArtifact]:
    """The artifacts of named files, with the vendor's own names."""
    return [PlannedArtifact(FILES.name, name, file.path) for name, file in files]


def plan(scan: Scan) -> list[PlannedArtifact]:
    """What a scan has: the one file of a conversion, else what `place` learns."""
    details = ScanDetails.model_validate(scan.details)
    if details.source is None:
        return [UNKNOWN]
    name = details.source.file_name
    return [PlannedArtifact(FILES.name, FOLDER + safe(name), name)]
