"""A Laserfiche repository that behaves as seed 001 and FACTS part 2 state."""

from export_pipeline.sandbox.laserfiche.entries import EntrySpec
from export_pipeline.sandbox.laserfiche.options import Account, LaserficheOptions

__all__ = ["Account", "EntrySpec", "LaserficheOptions"]
