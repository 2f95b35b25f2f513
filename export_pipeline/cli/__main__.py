"""`python -m export_pipeline.cli`: the command line where its script is not on the path."""

from export_pipeline.cli import main

main()
