"""Any web server that takes PUT: `open.py` makes the store that an `https://` URL names."""
