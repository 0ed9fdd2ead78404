"""What the runs of the DAGs have in common: their parameters, what they say in the grid, how long they took."""
