"""The rotation sleeves: momentum and monthly rebalancing."""
