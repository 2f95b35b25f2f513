"""The archive: sealed bags, their verification, catalog and fixity."""
