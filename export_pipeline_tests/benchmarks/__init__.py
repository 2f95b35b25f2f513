"""What the system reaches, measured; see `python -m export_pipeline_tests.benchmarks --help`."""
