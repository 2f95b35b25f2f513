"""The ledger brought back from the store alone."""
