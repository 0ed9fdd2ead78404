"""Position limits, buying restrictions, correlated pairs and retired assets."""
