"""The whole way at once on one machine: sandbox, receiver and Dagster over a home of its own."""
