"""Tests of `export_pipeline.vendors.hookbridge`."""
