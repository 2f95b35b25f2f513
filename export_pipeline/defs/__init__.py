"""What Dagster shows and starts; all work is done below, in `workflow`."""
