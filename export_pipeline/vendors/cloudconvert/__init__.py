"""CloudConvert (seed 003): the files of finished jobs and tasks, exported in seven ways."""

VENDOR = "cloudconvert"
"""Its name in ledger, archive and commands."""
