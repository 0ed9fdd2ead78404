"""A user's own strategy by itself, before it gets a budget."""
