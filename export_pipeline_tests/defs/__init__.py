"""Tests of the Dagster side, on a real instance, a real sandbox, receiver, ledger and store."""
