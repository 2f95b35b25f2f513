"""OpenStack Swift: `open.py` makes the store that a `swift://` URL names."""
