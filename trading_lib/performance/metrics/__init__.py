"""What is measured of a run: the table of metrics, their formulas, and their targets."""
