"""Google Cloud Storage: `open.py` makes the store that a `gs://` URL names."""
