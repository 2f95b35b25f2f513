"""Order, receive, verify and seal what four vendors export, and show it all in Dagster."""
