"""Storage backends: `store.py` says what each must offer."""
