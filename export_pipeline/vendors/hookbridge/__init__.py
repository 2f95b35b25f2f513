"""HookBridge (seed 002): exports of delivery logs as CSV, pulled through a redirect."""

VENDOR = "hookbridge"
"""Its name in ledger, archive and commands."""
