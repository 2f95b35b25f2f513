"""The workflow against the sandbox, a real receiver, a real ledger and a real store."""
