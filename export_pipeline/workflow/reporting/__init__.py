"""The report on the archive: figures, charts, a page and Dagster's own form."""
