"""Order, collect, reconcile: what is done to scans, without Dagster."""
