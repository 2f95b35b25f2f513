"""Laserfiche Repository API V2: seed 001 and FACTS part 2."""

VENDOR = "laserfiche"
"""Its name in ledger, archive and commands."""
