"""How the lines of an import file are read, for each vendor."""

from export_pipeline.errors import BadInput
from export_pipeline.vendors.cloudconvert import client as cloudconvert_client
from export_pipeline.vendors.cloudconvert import importing as cloudconvert
from export_pipeline.vendors.copyleaks import importing as copyleaks
from export_pipeline.vendors.copyleaks import login as copyleaks_login
from export_pipeline.vendors.hookbridge import client as hookbridge_client
from export_pipeline.vendors.hookbridge import importing as hookbridge
from export_pipeline.vendors.laserfiche import importing as laserfiche
from export_pipeline.vendors.laserfiche import login as laserfiche_login
from export_pipeline.workflow.importing import Format

FORMATS = {
    name: Format(name, lines.FIELDS, lines.read_line)
    for name, lines in {
        copyleaks_login.VENDOR: copyleaks,
        hookbridge_client.VENDOR: hookbridge,
        laserfiche_login.VENDOR: laserfiche,
        cloudconvert_client.VENDOR: cloudconvert,
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
