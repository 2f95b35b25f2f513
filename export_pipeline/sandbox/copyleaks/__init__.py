"""A Copyleaks that behaves as seed 000 and FACTS part 1 state."""

from export_pipeline.sandbox.copyleaks.options import Account, CopyleaksOptions
from export_pipeline.sandbox.copyleaks.samples import sample_scans
from export_pipeline.sandbox.copyleaks.scans import ScanSpec

__all__ = ["Account", "CopyleaksOptions", "ScanSpec", "sample_scans"]
