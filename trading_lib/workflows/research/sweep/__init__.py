"""Parameter sweeps: grid, points in parallel processes, screening, walk-forward selection, report."""
