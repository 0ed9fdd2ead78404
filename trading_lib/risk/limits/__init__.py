"""Position limits, buying restrictions and correlated pairs."""
