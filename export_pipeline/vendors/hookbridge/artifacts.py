"""HookBridge's one artifact: the file of an export."""

from export_pipeline.vendors.artifacts import ArtifactKind, PlannedArtifact
from export_pipeline.vendors.hookbridge.table import open_csv
from export_pipeline.vendors.openers import by_others

CSV = ArtifactKind(
    "csv",
    "The delivery log of a window: one row a message, with what became of it.",
    "text/csv",
    by_others(open_csv),
)
KINDS = (CSV,)
FILE = PlannedArtifact(CSV.name, "export.csv")
