"""Parameter sweeps: grid, points, walk-forward selection, report."""
