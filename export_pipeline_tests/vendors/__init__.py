"""Tests of `export_pipeline.vendors`."""
