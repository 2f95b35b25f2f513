"""S3, Amazon's or compatible: `open.py` makes the store that an `s3://` URL names."""
