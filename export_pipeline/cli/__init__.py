"""The command line: each file one command or group, thin over what does the work."""

from export_pipeline.cli.app import app, main

__all__ = ["app", "main"]
