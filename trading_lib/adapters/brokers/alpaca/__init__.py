"""Alpaca: orders, fills and the account by its own client, whose answers are read here and not by its models."""
