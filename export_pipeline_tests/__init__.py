"""Tests of `export_pipeline`, laid out as the package is."""
