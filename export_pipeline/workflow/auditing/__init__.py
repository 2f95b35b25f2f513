"""The audit of the archive: which bags, what is wrong, what belongs to none."""
