"""How the lines of an import file are read, for each vendor."""

from export_pipeline.errors import BadInput
from export_pipeline.vendors.cloudconvert import VENDOR as CLOUDCONVERT
from export_pipeline.vendors.cloudconvert import importing as cloudconvert
from export_pipeline.vendors.copyleaks import VENDOR as COPYLEAKS
from export_pipeline.vendors.copyleaks import importing as copyleaks
from export_pipeline.vendors.hookbridge import VENDOR as HOOKBRIDGE
from export_pipeline.vendors.hookbridge import importing as hookbridge
from export_pipeline.vendors.laserfiche import VENDOR as LASERFICHE
from export_pipeline.vendors.laserfiche import importing as laserfiche
from export_pipeline.workflow.importing import Format

FORMATS = {
    name: Format(name, lines.FIELDS, lines.read_line)
    for name, lines in {
        COPYLEAKS: copyleaks,
        HOOKBRIDGE: hookbridge,
        LASERFICHE: laserfiche,
        CLOUDCONVERT: cloudconvert,
    }.items()
}


def format_of(vendor: str) -> Format:
    """How the vendor's lines are read.

    Raises:
        BadInput: there is no such vendor.
    """
    if vendor not in FORMATS:
        raise BadInput(f"--vendor: {vendor!r} is none: use {', '.join(FORMATS)}")
    return FORMATS[vendor]
