"""The ledger: scans, orders, inbox, artifacts, quotas. It is the truth; Dagster is the view."""
