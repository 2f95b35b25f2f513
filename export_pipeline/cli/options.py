"""Options that commands share, and how examples are written."""

from pathlib import Path
from typing import Annotated, Any

import typer

from export_pipeline.ledger.rows import ScanState
from export_pipeline.vendors.open import VENDOR_NAMES


def _known_vendor(name: str | None) -> str | None:
    if name is not None and name not in VENDOR_NAMES:
        raise typer.BadParameter(f"{name!r} is none: use one of {', '.join(VENDOR_NAMES)}")
    return name


def vendor_option(what: str) -> Any:
    """Declare --vendor, which takes the name of one that there is; `what` is its help."""
    return typer.Option("--vendor", metavar="NAME", help=what, callback=_known_vendor)


Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="The home folder, which holds the ledger.  [default: $EXPORT_PIPELINE_HOME, else"
        " .export_pipeline in the current folder]",
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object on stdout and nothing else there."),
]
Account = Annotated[
    str | None,
    typer.Option("--account", metavar="NAME", help="Only the scan or scans of this account."),
]
Vendor = Annotated[str | None, vendor_option("Only the scan or scans of this vendor.")]
Generation = Annotated[
    int | None,
    typer.Option(
        "--generation", metavar="N", min=1, help="Which one.  [default: the newest sealed]"
    ),
]
State = Annotated[ScanState | None, typer.Option("--state", help="Only scans that stand so.")]
ScanId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="The vendor's own id, or Dagster's partition key. Put -- before an id that begins"
        " with a dash, and quotes around one with signs that your shell reads.",
    ),
]
ScanIds = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ID",
        help="The vendor's own ids, or Dagster's partition keys. Put -- before ids that begin"
        " with a dash.",
    ),
]
File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A file; - is stdin."),
]
FileOrFolder = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A file of JSON, of JSON lines, or a folder of .json files; - is stdin.",
    ),
]


def examples(*lines: str) -> str:
    """The end of a help text: commands to copy."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
