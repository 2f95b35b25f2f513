"""The command line on real homes."""
