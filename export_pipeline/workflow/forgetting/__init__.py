"""Taking scans away, for good or out of sight; where else each part of it is.

`forget` (with `forgettable`, `burial`): `archive/erasure`, `archive/dropping`, `ledger/erase`, and
in Dagster `defs/forget`. Tombstones tell what is gone (`forgotten`, `ledger/` and `archive/`).
`retention` forgets by age: `ledger/retention`, `defs/retention`.
`hold` keeps a scan from both: `ledger/holds`, `archive/holds`.
Retirement only takes partitions out of Dagster: `ledger/retirement`, `defs/retire`.
"""
