"""How a ledger of an older release becomes one of this release; `migrate` runs it.

A change of `schema.py` is a new file in `versions/`, and its revision is `migrate.REVISION`.
"""
