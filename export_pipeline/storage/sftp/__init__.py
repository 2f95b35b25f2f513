"""SFTP: `open.py` makes the store that an `sftp://` URL names."""
