"""One file a revision, each spelling out its own tables: `schema.py` moves on, they do not."""
