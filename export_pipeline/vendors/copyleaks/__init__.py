"""Copyleaks: plagiarism reports, pushed by the vendor (seed 000, FACTS part 1)."""

VENDOR = "copyleaks"
"""Its name in ledger, archive and commands."""
