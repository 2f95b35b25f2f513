"""Azure Blob Storage: `open.py` makes the store that an `az://` URL names."""
