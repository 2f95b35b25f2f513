"""Moving bytes: streaming, hashing, bounded concurrency."""
